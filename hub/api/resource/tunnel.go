package resource

import "time"

// Tunnel is the live connection to a device.
type Tunnel struct {
	State    string    `json:"state" enum:"idle,required,active" doc:"idle: there is none; required: the device was asked for one; active: it is open"`
	Since    time.Time `json:"since,omitzero" doc:"When it was opened"`
	By       string    `json:"by,omitempty" doc:"Who it was opened for first"`
	Up       uint64    `json:"up_bytes,omitempty" doc:"From the device, as SSH carries it"`
	Down     uint64    `json:"down_bytes,omitempty" doc:"To the device"`
	Channels int       `json:"channels,omitempty" doc:"Connections that are open in it now"`
	Served   int       `json:"served,omitempty" doc:"Connections there were in it"`
}
