package resource

import "github.com/farshore/farshore/protocol"

// Estimate is what a change would cost devices, before it is made.
type Estimate struct {
	Devices int    `json:"devices" doc:"That you see and that would have to fetch something or be told of it"`
	Total   uint64 `json:"total" doc:"Bytes on the wire of all of them, TLS and TCP/IP included"`
	Largest uint64 `json:"largest" doc:"Of the device that needs most"`
	Median  uint64 `json:"median"`

	Cost    []Money         `json:"cost" nullable:"false" doc:"By the tariffs of their link profiles and what they have spent; none where there is no tariff"`
	Seconds EstimateSeconds `json:"seconds"`
	Over    []EstimateOver  `json:"over" nullable:"false" doc:"Devices that would pass their budget, those that lack most in front, at most 500"`
	OverAll int             `json:"over_count" doc:"How many these are"`
	Parts   EstimateParts   `json:"parts"`
	Images  []EstimateImage `json:"images" nullable:"false" doc:"That some device would need, by platform"`

	PerDevice []EstimateDevice `json:"per_device" nullable:"false" doc:"At most 500: those over their budget in front, then by bytes"`
	Notes     []string         `json:"notes" nullable:"false" doc:"Sentences about what the figures do not say"`
}

// EstimateSeconds says how long it takes, by times of contact and the rate that was measured.
type EstimateSeconds struct {
	Largest int64 `json:"largest" doc:"Until the last device has all, of those of which it is known"`
	Unknown int   `json:"unknown" doc:"Devices of which it is not: no rate was measured yet, or they have no contact any more"`
}

// EstimateOver is a device that would pass its budget.
type EstimateOver struct {
	Device protocol.DeviceID `json:"device"`
	Name   string            `json:"name"`
	Need   uint64            `json:"need"`
	Left   uint64            `json:"left" doc:"What its budget leaves for files and images in this cycle"`
}

// EstimateParts are what the total is made of.
type EstimateParts struct {
	Files    uint64 `json:"files" doc:"Files of bundles, or programs, as they travel: compressed, and as patches where devices have earlier ones"`
	Images   uint64 `json:"images" doc:"Layers that devices lack, with manifests"`
	Overhead uint64 `json:"overhead" doc:"Orders, what devices say about it, frames, requests, TLS and TCP/IP"`
}

// EstimateImage is what an image weighs.
type EstimateImage struct {
	Image    string `json:"image"`
	Platform string `json:"platform,omitempty"`
	Bytes    uint64 `json:"bytes" doc:"All of it, as it travels; 0: not known"`
	Layers   int    `json:"layers,omitempty"`
	Source   string `json:"source" enum:"registry,devices,unknown" doc:"registry: its manifest. devices: the registry did not say, and this is the size on the disk of a device that has it, which is more. unknown: nobody says"`
	Why      string `json:"why,omitempty" doc:"Why the registry did not say"`
}

// EstimateDevice is what a change would cost one device.
type EstimateDevice struct {
	Device  protocol.DeviceID `json:"device"`
	Name    string            `json:"name"`
	Bytes   uint64            `json:"bytes"`
	Files   uint64            `json:"files"`
	Images  uint64            `json:"images"`
	Unknown int               `json:"unknown,omitempty" doc:"Images, or programs, of which nothing is known: they come on top"`
	Bound   bool              `json:"upper_bound,omitempty" doc:"Some image is counted with its size on a disk"`
	Cost    *Money            `json:"cost,omitempty" doc:"Absent: no tariff"`
	Seconds *int64            `json:"seconds,omitempty" doc:"Absent: not known"`
	Over    bool              `json:"over,omitempty" doc:"It would pass its budget"`
}

// RolloutData is what a rollout was thought to cost, and what it has cost so far.
type RolloutData struct {
	Estimate  uint64 `json:"estimate" doc:"Bytes, as thought before it began"`
	Estimated int    `json:"estimated" doc:"Devices that were thought of; 0: there was no estimate"`
	Actual    uint64 `json:"actual" doc:"Bytes that devices say they have spent on files and images of the version"`
	Reported  int    `json:"reported" doc:"Devices that have said so"`
}
