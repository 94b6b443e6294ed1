package resource

import "time"

// BackupLock says how a backup is encrypted: by a passphrase, or for recipients.
type BackupLock struct {
	Passphrase string   `json:"passphrase,omitempty" writeOnly:"true" doc:"12 characters or more. Write-only"`
	Recipients []string `json:"recipients,omitempty" maxItems:"20" doc:"Public keys whose holders can open it, in place of a passphrase: age (age1…) or SSH (ssh-ed25519, ssh-rsa)"`
}

// BackupPlan is when and where the hub makes backups by itself.
type BackupPlan struct {
	Folder string `json:"folder" maxLength:"1000" doc:"Folder on the hub's machine, outside its data folder. Empty: no backups are made by themselves" example:"/var/backups/farshore"`
	Times  string `json:"times,omitempty" maxLength:"100" doc:"A time of day, or the five fields of a crontab, by the clock of the hub's machine" example:"02:30"`
	Keep   int    `json:"keep,omitempty" minimum:"0" maximum:"1000" doc:"How many are kept; older ones that the hub made there are removed"`
	BackupLock
}

// Backups are the plan and how it went.
type Backups struct {
	Folder        string      `json:"folder" doc:"Empty: no backups are made by themselves"`
	Times         string      `json:"times,omitempty"`
	Keep          int         `json:"keep,omitempty"`
	Recipients    []string    `json:"recipients,omitempty"`
	HasPassphrase bool        `json:"has_passphrase" doc:"A passphrase is set"`
	Next          time.Time   `json:"next,omitzero" doc:"When the next one is due"`
	LastSuccess   time.Time   `json:"last_success,omitzero" doc:"When one went well last"`
	Runs          []BackupRun `json:"runs" doc:"The last ones, the latest first"`
}

// BackupRun is one backup of the plan.
type BackupRun struct {
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Folder  string    `json:"folder,omitempty"`
	File    string    `json:"file,omitempty" doc:"Absent: it failed"`
	Size    int64     `json:"size,omitempty" doc:"In bytes"`
	Error   string    `json:"error,omitempty" doc:"Why it failed"`
}
