package resource

// LogSettings say what the hub writes into its log.
type LogSettings struct {
	Level string `json:"level" enum:"debug,info,warn,error" doc:"This level and those above are written"`
}
