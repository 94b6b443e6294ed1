package resource

import "time"

// Variable is one that a group or device gives to Compose interpolation.
type Variable struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty" doc:"Absent: it is secret, and nobody is shown it, or it is empty"`
	Secret bool   `json:"secret" doc:"Its value goes to devices alone, sealed to the key of each"`
	Lost   bool   `json:"lost,omitempty" doc:"Its value cannot be opened, because the hub's secrets.key is another: set it again"`
	Scope  string `json:"scope" enum:"group,device" doc:"What it is set on"`
	Group  string `json:"group" doc:"Path of the group that it is set on; empty: the root, or it is set on a device"`
	// Own tells what is set here from what holds here.
	Own     bool      `json:"own" doc:"It is set here, and not on a group above"`
	Updated time.Time `json:"updated,omitzero"`
	By      string    `json:"by,omitempty" doc:"Who set it"`
	Etag    string    `json:"etag" doc:"Changes when it is set: give it as If-Match"`
}

// PutVariable sets a variable.
type PutVariable struct {
	Value  string `json:"value" maxLength:"16384" doc:"At most 16 KiB together with all that is set in the same place"`
	Secret bool   `json:"secret,omitempty" doc:"Nobody is shown it again"`
}

// Registry is how a registry of images lets the devices of a group in.
type Registry struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Address string    `json:"address" doc:"Host, with the port where it is not 443; docker.io is Docker Hub"`
	User    string    `json:"user"`
	Lost    bool      `json:"lost,omitempty" doc:"Its password cannot be opened, because the hub's secrets.key is another: set it again"`
	Group   string    `json:"group" doc:"It is for the devices in this group and below; empty: the root"`
	Note    string    `json:"note,omitempty"`
	CA      string    `json:"ca,omitempty" doc:"Certificates of the authority that the registry's own is from, in PEM"`
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
	By      string    `json:"by,omitempty" doc:"Who changed it last"`
	Etag    string    `json:"etag" doc:"Changes with what can be edited: give it as If-Match"`
}

// PutRegistry makes or replaces a registry.
type PutRegistry struct {
	Name     string `json:"name,omitempty" maxLength:"1024" doc:"Absent: the address"`
	Address  string `json:"address" maxLength:"300" doc:"Host, with the port where it is not 443" example:"registry.example.com:5000"`
	User     string `json:"user" maxLength:"1024"`
	Password string `json:"password,omitempty" maxLength:"8192" doc:"Password or token. Absent: it stays, where the address stays too. It is never given out again"`
	Group    string `json:"group,omitempty" doc:"Home: it is for the devices in it and below" example:"norway/oslo"`
	Note     string `json:"note,omitempty" maxLength:"1024"`
	CA       string `json:"ca,omitempty" maxLength:"65536" doc:"The hub goes by it when it asks the registry. Engines have to be given it on the device: /etc/docker/certs.d/ADDRESS/ca.crt"`
}

// RegistryCheck is what asking a registry has found.
type RegistryCheck struct {
	OK   bool   `json:"ok" doc:"It lets its user in"`
	Text string `json:"text" doc:"What was found, in a sentence"`
}
