package resource

import "time"

// Certificate is what browsers and the CLI see of the hub.
type Certificate struct {
	Source  string   `json:"source" enum:"generated,upload,files" doc:"generated: the hub made it itself; upload: it was set here; files: it is read from the files that the hub was started with"`
	Subject string   `json:"subject"`
	Issuer  string   `json:"issuer"`
	Names   []string `json:"names" nullable:"false" doc:"Host names and addresses that it is good for"`
	// Chain is how many certificates are sent.
	Chain       int       `json:"chain" doc:"How many certificates are sent, its own first"`
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"`
	Fingerprint string    `json:"fingerprint" doc:"SHA-256, as farshore login --fingerprint compares it"`
	Warnings    []string  `json:"warnings" nullable:"false" doc:"What somebody should look after, as sentences"`
	Etag        string    `json:"etag"`
}

// PutCertificate gives the hub a certificate.
type PutCertificate struct {
	Certificate string `json:"certificate" maxLength:"65536" doc:"PEM: the hub's own certificate first, then those between it and the root"`
	Key         string `json:"key" maxLength:"65536" doc:"Its key, PEM, not encrypted; it is kept sealed and never given back"`
}

// Protection is who may come to the hub's ports from where, and how often accounts may ask.
type Protection struct {
	ProtectionSettings
	YourAddress string            `json:"your_address,omitempty" doc:"Where this request comes from, as the hub sees it"`
	Refused     map[string]uint64 `json:"refused" doc:"What was turned away since the hub started: address (in no list), people-address, device-address, device-certificate"`
	Etag        string            `json:"etag"`
}

// ProtectionSettings are what can be changed of it.
type ProtectionSettings struct {
	People            []string `json:"people" nullable:"false" maxItems:"1000" required:"false" doc:"Networks (CIDR) or addresses from which console and API may be used; empty: all"`
	Devices           []string `json:"devices" nullable:"false" maxItems:"1000" required:"false" doc:"Networks or addresses from which devices may come, on both ports; empty: all"`
	TrustedProxies    []string `json:"trusted_proxies" nullable:"false" maxItems:"1000" required:"false" doc:"Networks or addresses of proxies that are believed where a caller is: by X-Forwarded-For, and by the PROXY protocol"`
	RequestsPerSecond uint32   `json:"requests_per_second,omitempty" doc:"Of one account; 0: the default, 50"`
	Burst             uint32   `json:"burst,omitempty" doc:"How many requests an account may send at once before that counts; 0: the default, 200"`
}

// PutProtection changes it.
type PutProtection struct {
	ProtectionSettings
	Force bool `json:"force,omitempty" doc:"Also when the caller's own address is shut out"`
}
