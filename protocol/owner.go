package protocol

// Visibility says who, besides administrators, a thing is for.
type Visibility string

// Visibilities. The zero value means administrators.
const (
	ForAdministrators Visibility = "administrators"
	ForOwner          Visibility = "private"
	ForTeam           Visibility = "team"
	ForAll            Visibility = "public"
)

// Owner says whose a stack, a job, a registry, or what came of them on a device is. The zero value: administrators'.
type Owner struct {
	Visibility Visibility `cbor:"1,keyasint,omitempty" json:"visibility,omitempty"`
	// Account that it belongs to, with ForOwner.
	Account string `cbor:"2,keyasint,omitempty" json:"account,omitempty"`
	// Team that it belongs to, with ForTeam.
	Team string `cbor:"3,keyasint,omitempty" json:"team,omitempty"`
}
