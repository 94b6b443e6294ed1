package resource

import "time"

// User is somebody who can sign in. Callers who may not change people see names alone.
type User struct {
	Name string `json:"name"`
	// Detailed: the caller may see all of what follows.
	Detailed      bool      `json:"detailed" doc:"False: the caller sees the name alone"`
	Admin         bool      `json:"admin,omitempty"`
	BreakGlass    bool      `json:"break_glass,omitempty" doc:"The account of last resort: it cannot be removed or disabled"`
	Disabled      bool      `json:"disabled,omitempty"`
	Created       time.Time `json:"created,omitzero"`
	PasswordSet   time.Time `json:"password_set,omitzero" doc:"Absent: none is set"`
	LastSignIn    time.Time `json:"last_sign_in,omitzero" doc:"Absent: never"`
	SecondFactor  bool      `json:"second_factor,omitempty"`
	FactorNeeded  bool      `json:"second_factor_needed,omitempty"`
	LinkExpires   time.Time `json:"link_expires,omitzero" doc:"A link to set the password is open until then"`
	Sessions      int       `json:"sessions,omitempty"`
	Tokens        int       `json:"tokens,omitempty"`
	Teams         []string  `json:"teams,omitempty"`
	RecoveryCodes int       `json:"recovery_codes,omitempty" doc:"How many are left"`
	Etag          string    `json:"etag,omitempty"`
}

// NewUser makes a user.
type NewUser struct {
	Name     string `json:"name" minLength:"1" maxLength:"64" pattern:"^[a-z0-9._@-]+$" patternDescription:"of small letters, digits and . _ @ -" example:"anna"`
	Password string `json:"password,omitempty" maxLength:"1024" doc:"Absent: the answer has a link by which the person sets one"`
	Admin    bool   `json:"admin,omitempty" doc:"May do everything on the hub"`
}

// MadeUser is a user that was made.
type MadeUser struct {
	User User        `json:"user"`
	Link *InviteLink `json:"link,omitempty" doc:"Given where no password was"`
}

// InviteLink lets somebody set the password of one account, once.
type InviteLink struct {
	URL     string    `json:"url" doc:"To open in a browser; give it to nobody else"`
	Expires time.Time `json:"expires"`
	Tokens  int       `json:"tokens" doc:"API tokens that the account still has"`
}

// PatchUser changes a user. What is absent stays.
type PatchUser struct {
	Admin    *bool `json:"admin,omitempty"`
	Disabled *bool `json:"disabled,omitempty" doc:"True ends the sessions, and removes the API tokens"`
}

// NewLink asks for another link.
type NewLink struct {
	RemoveTokens bool `json:"remove_tokens,omitempty" doc:"Remove the account's API tokens too"`
}

// UseLink sets a password by a link.
type UseLink struct {
	Link     string `json:"link" doc:"The part of the link behind the # character"`
	Password string `json:"password" maxLength:"1024"`
}

// UsedLink says whose password was set.
type UsedLink struct {
	Username string `json:"username"`
}

// SignInSession is one sign-in of a browser or the CLI that is open.
type SignInSession struct {
	ID       string    `json:"id"`
	Remote   string    `json:"remote,omitempty" doc:"Address that it was opened from"`
	Agent    string    `json:"agent,omitempty" doc:"What the client called itself"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	LastUsed time.Time `json:"last_used,omitzero" doc:"Since the hub started; absent: not used since then"`
	Current  bool      `json:"current,omitempty" doc:"It is the one that asks"`
}

// EndedSessions says how many sessions ended.
type EndedSessions struct {
	Ended int `json:"ended"`
}

// NewPassword changes one's own password.
type NewPassword struct {
	Old      string `json:"old" maxLength:"1024" doc:"The password of now"`
	Password string `json:"password" maxLength:"1024"`
}

// PasswordProof is one's password once more.
type PasswordProof struct {
	Password string `json:"password" maxLength:"1024"`
}

// SecondFactor is the state of one's own second factor.
type SecondFactor struct {
	On            bool      `json:"on"`
	Since         time.Time `json:"since,omitzero"`
	Needed        bool      `json:"needed" doc:"The hub's settings want this account to have one"`
	RecoveryCodes int       `json:"recovery_codes" doc:"How many are left"`
}

// FactorEnrolment is what an authenticator has to know. It is given once, and counts when a code has confirmed it.
type FactorEnrolment struct {
	Secret string `json:"secret" doc:"In base32, to type in"`
	URL    string `json:"url" doc:"The same as otpauth URL, for a QR code"`
}

// FactorCode confirms a second factor.
type FactorCode struct {
	Code string `json:"code" maxLength:"32" doc:"What the authenticator shows now"`
}

// RecoveryCodes let one in without the authenticator, each once. They are given once.
type RecoveryCodes struct {
	Codes []string `json:"codes" nullable:"false"`
}

// Team is a set of users.
type Team struct {
	Name    string    `json:"name"`
	Leaders []string  `json:"leaders" nullable:"false" doc:"They say who is in the team"`
	Members []string  `json:"members" nullable:"false"`
	Note    string    `json:"note,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Etag    string    `json:"etag"`
}

// PutTeam makes a team or replaces what it says.
type PutTeam struct {
	Leaders []string `json:"leaders,omitempty" maxItems:"2000"`
	Members []string `json:"members,omitempty" maxItems:"2000"`
	Note    string   `json:"note,omitempty" maxLength:"1024"`
}

// Grant gives a role on a group or a device to a user or a team.
type Grant struct {
	ID         string    `json:"id,omitempty" doc:"Absent where the caller sees only that such a role comes from above"`
	User       string    `json:"user,omitempty"`
	Team       string    `json:"team,omitempty"`
	Role       string    `json:"role"`
	Group      string    `json:"group" doc:"It holds for all that is in it and below; empty: the root"`
	Device     string    `json:"device,omitempty" doc:"Id of the only device that it is for"`
	DeviceName string    `json:"device_name,omitempty"`
	Until      time.Time `json:"until,omitzero" doc:"Absent: it does not end"`
	Ended      bool      `json:"ended,omitempty"`
	By         string    `json:"by,omitempty"`
	Created    time.Time `json:"created,omitzero"`
	Note       string    `json:"note,omitempty"`
}

// NewGrant asks for a grant: for a user or a team, on a group or a device.
type NewGrant struct {
	User   string    `json:"user,omitempty"`
	Team   string    `json:"team,omitempty"`
	Role   string    `json:"role" example:"operator"`
	Group  string    `json:"group,omitempty" doc:"Path; absent: the root"`
	Device string    `json:"device,omitempty" doc:"Id or name, in place of a group"`
	Until  time.Time `json:"until,omitzero"`
	Note   string    `json:"note,omitempty" maxLength:"1024"`
}

// Role says what a role may do.
type Role struct {
	Name string   `json:"name"`
	Says string   `json:"says" doc:"In a sentence"`
	All  []string `json:"all" nullable:"false" doc:"Operations on everything there"`
	Own  []string `json:"own" nullable:"false" doc:"Operations on what is one's own, one's team's, or public"`
}

// EffectiveAccess is what somebody may do on something, and why.
type EffectiveAccess struct {
	User    string         `json:"user"`
	Group   string         `json:"group,omitempty"`
	Device  string         `json:"device,omitempty"`
	Reasons []AccessReason `json:"reasons" nullable:"false"`
	All     []string       `json:"all" nullable:"false" doc:"Operations on everything there"`
	Own     []string       `json:"own" nullable:"false" doc:"Operations on what is their own, their team's, or public"`
}

// AccessReason is one role and where it comes from.
type AccessReason struct {
	Role       string    `json:"role"`
	Via        string    `json:"via" enum:"user,team,administrator"`
	Team       string    `json:"team,omitempty"`
	Grant      string    `json:"grant,omitempty"`
	Group      string    `json:"group" doc:"That it was granted on; empty: the root"`
	Device     string    `json:"device,omitempty"`
	DeviceName string    `json:"device_name,omitempty"`
	Inherited  bool      `json:"inherited,omitempty" doc:"It was granted on a group above"`
	Until      time.Time `json:"until,omitzero"`
}

// AccessSettings are the settings of signing in.
type AccessSettings struct {
	SessionSeconds int64  `json:"session_seconds" minimum:"900" maximum:"2592000" doc:"How long a session lasts"`
	MinPassword    int    `json:"min_password" minimum:"12" maximum:"128" doc:"Fewest characters of a password that is set from now on"`
	SecondFactor   string `json:"second_factor" enum:"nobody,administrators,everybody" doc:"Who needs one"`
}

// AccessSettingsNow are the settings as they are.
type AccessSettingsNow struct {
	AccessSettings
	Etag string `json:"etag"`
}
