package resource

// Policy is what a group forbids stacks and live calls to ask of the engines of its devices, and of those below it.
type Policy struct {
	Group  string   `json:"group" doc:"Path; empty: the root"`
	Forbid []string `json:"forbid" nullable:"false" doc:"Rules whose things may not be asked for"`
	Images []string `json:"images" nullable:"false" doc:"Images that may be used, without tags; * stands for any text within a part, ** for any parts. Empty: any"`
	Note   string   `json:"note,omitempty" doc:"Why, for people who run into it"`
	Etag   string   `json:"etag" doc:"Changes with what can be edited: give it as If-Match"`
}

// PutPolicy makes or replaces what a group forbids.
type PutPolicy struct {
	Group  string   `json:"group" doc:"Path; empty: the root" example:"norway/oslo"`
	Forbid []string `json:"forbid,omitempty" enum:"privileged,host-pid,host-ipc,host-network,host-user-namespace,host-devices,capabilities,bind-mounts,sysctls,security-options,other-containers,host-scripts"`
	Images []string `json:"images,omitempty" maxItems:"200" example:"[\"registry.example.com/plant/**\"]"`
	Note   string   `json:"note,omitempty" maxLength:"1024"`
}
