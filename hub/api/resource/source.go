package resource

import "time"

// PutSource says where a stack comes from. A stack that is not there is made of the first good commit.
type PutSource struct {
	URL  string `json:"url" minLength:"1" maxLength:"2048" doc:"https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH, without a password" example:"https://git.example.com/plant/stacks.git"`
	Ref  string `json:"ref,omitempty" maxLength:"255" doc:"Branch or tag; absent: what the repository's HEAD names" example:"main"`
	Path string `json:"path,omitempty" maxLength:"255" doc:"Folder, or compose file, in the repository; absent: all of it"`

	SignIn     string   `json:"sign_in,omitempty" enum:"none,password,key" doc:"Absent: none"`
	User       string   `json:"user,omitempty" maxLength:"255" doc:"With password. Over SSH the address says the user"`
	Password   *string  `json:"password,omitempty" maxLength:"16384" writeOnly:"true" doc:"Password or token; absent: as it is. Write-only"`
	Key        *string  `json:"key,omitempty" maxLength:"16384" writeOnly:"true" doc:"Private SSH key; absent: as it is. Write-only"`
	Passphrase string   `json:"passphrase,omitempty" maxLength:"1024" writeOnly:"true" doc:"Of the key that is given. Write-only"`
	HostKeys   []string `json:"host_keys,omitempty" maxItems:"10" doc:"What the SSH server's key must be: SHA256:…, or lines of known_hosts"`
	CA         string   `json:"ca,omitempty" maxLength:"65536" doc:"Authorities of the server, PEM, beside the system's"`

	IntervalSeconds *int64  `json:"interval_seconds,omitempty" minimum:"0" maximum:"604800" doc:"Between two looks; 0: only when asked. Absent: 300"`
	Webhook         bool    `json:"webhook,omitempty" doc:"There is an address that makes the hub look"`
	WebhookSecret   *string `json:"webhook_secret,omitempty" maxLength:"1024" writeOnly:"true" doc:"Signs the webhook's requests, 16 characters or more; absent: as it is. Write-only"`
	Redeploy        string  `json:"redeploy,omitempty" enum:"commits,looks" doc:"Devices apply the stack again although nothing has changed: with each commit, or each look. Absent: they do not"`

	Pull          string             `json:"pull,omitempty" enum:"missing,always,never" doc:"When images are asked of a registry; absent: missing"`
	Env           *map[string]string `json:"env,omitempty" writeOnly:"true" doc:"Variables for Compose, all of them; absent: as they are, and those of the latest version for a new source. Write-only"`
	Selector      *string            `json:"selector,omitempty" doc:"As for a stack that is applied; it holds with the next good commit"`
	Group         *string            `json:"group,omitempty" doc:"Likewise"`
	Owner         *Owner             `json:"owner,omitempty" doc:"Likewise"`
	RemoveVolumes *bool              `json:"remove_volumes,omitempty" doc:"Likewise"`
}

// Source is where a stack comes from, and how that stands.
type Source struct {
	Stack    string   `json:"stack"`
	Exists   bool     `json:"exists" doc:"The stack is there; false: it waits for the first good commit"`
	URL      string   `json:"url"`
	Ref      string   `json:"ref,omitempty"`
	Path     string   `json:"path,omitempty"`
	SignIn   string   `json:"sign_in" enum:"none,password,key"`
	User     string   `json:"user,omitempty"`
	HostKeys []string `json:"host_keys,omitempty"`
	CA       string   `json:"ca,omitempty"`
	Warning  string   `json:"warning,omitempty" doc:"What is dangerous about it"`

	IntervalSeconds int64    `json:"interval_seconds" doc:"0: it looks when it is asked to"`
	Webhook         bool     `json:"webhook"`
	WebhookURL      string   `json:"webhook_url,omitempty" doc:"Given to who may change the source"`
	Redeploy        string   `json:"redeploy,omitempty" enum:"commits,looks"`
	Pull            string   `json:"pull"`
	Env             []string `json:"env,omitempty" doc:"Names of its own variables"`
	OwnEnv          bool     `json:"own_env" doc:"It says the variables; false: those of the latest version stay"`

	Commit  string    `json:"commit,omitempty" doc:"The last good one"`
	Author  string    `json:"author,omitempty" doc:"Of that commit"`
	Subject string    `json:"subject,omitempty" doc:"First line of its message"`
	Version uint64    `json:"version,omitempty" doc:"That was made last"`
	Applied time.Time `json:"applied,omitzero" doc:"When"`

	Looking bool      `json:"looking"`
	Looked  time.Time `json:"looked,omitzero" doc:"When the last look ended, since the hub was started"`
	Next    time.Time `json:"next,omitzero" doc:"When the next look is due; absent: when it is asked for"`
	Code    string    `json:"code,omitempty" doc:"A stable word for what is wrong; absent: nothing" example:"host-key"`
	Problem string    `json:"problem,omitempty" doc:"The same as a sentence"`
	Since   time.Time `json:"since,omitzero" doc:"Since when that is wrong"`

	Changed time.Time `json:"changed"`
	By      string    `json:"by,omitempty" doc:"Who changed it last"`
	Etag    string    `json:"etag" doc:"Changes with what can be edited: give it as If-Match"`
}

// SourceLook is what a look came to.
type SourceLook struct {
	OK         bool   `json:"ok" doc:"Nothing is wrong"`
	Text       string `json:"text" doc:"What it came to, in a sentence"`
	Code       string `json:"code,omitempty" doc:"A stable word for what is wrong"`
	Commit     string `json:"commit,omitempty" doc:"That the branch or tag names"`
	Version    uint64 `json:"version,omitempty" doc:"That was made of it; absent: none"`
	Redeployed bool   `json:"redeployed,omitempty" doc:"Devices apply the stack again"`
}
