package waitingroom

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
)

// ConnectionProof shows that the secret of an enrolment key is known, without giving it away: HMAC-SHA-256 with the secret
// over the exporter of the connection (32 bytes, see protocol.Exporter) and the device's public key (32 bytes). It is good
// for that connection and that device only.
func ConnectionProof(secret, exporter []byte, pub ed25519.PublicKey) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write(exporter)
	m.Write(pub)
	return m.Sum(nil)
}

// VerifyProof tells whether proof is what ConnectionProof gives, in constant time.
func VerifyProof(proof, secret, exporter []byte, pub ed25519.PublicKey) bool {
	return hmac.Equal(proof, ConnectionProof(secret, exporter, pub))
}
