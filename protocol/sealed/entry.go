package sealed

import (
	"crypto/ed25519"
	"fmt"

	"github.com/farshore/farshore/protocol"
)

// Secrets seals what becomes Entry.Sealed of the entry with this key; nil where there are no secrets.
func (s *Sealer) Secrets(device ed25519.PublicKey, entry protocol.EntryKey, secrets protocol.Secrets) ([]byte, error) {
	if len(secrets.Env) == 0 {
		return nil, nil
	}
	return s.sealValue(device, contextOf(entry, "secrets"), secrets)
}

// Access seals what becomes Entry.Access of the entry with this key; nil where no registry asks for anything.
func (s *Sealer) Access(device ed25519.PublicKey, entry protocol.EntryKey, access protocol.RegistryAccess) ([]byte, error) {
	if len(access.Registries) == 0 {
		return nil, nil
	}
	return s.sealValue(device, contextOf(entry, "access"), access)
}

// OpenSecrets opens an entry's Sealed with the device's key. Errors wrap ErrSealed, ErrKey or protocol.ErrMalformed.
func OpenSecrets(key ed25519.PrivateKey, entry *protocol.Entry) (out protocol.Secrets, err error) {
	err = openValue(key, contextOf(entry.EntryKey, "secrets"), entry.Sealed, &out)
	return out, err
}

// OpenAccess opens an entry's Access with the device's key. Errors are those of OpenSecrets.
func OpenAccess(key ed25519.PrivateKey, entry *protocol.Entry) (out protocol.RegistryAccess, err error) {
	err = openValue(key, contextOf(entry.EntryKey, "access"), entry.Access, &out)
	return out, err
}

func contextOf(entry protocol.EntryKey, what string) string {
	return fmt.Sprintf("entry %d/%d %s", entry.Kind, entry.ID, what)
}

func (s *Sealer) sealValue(device ed25519.PublicKey, context string, v any) ([]byte, error) {
	b, err := protocol.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s to seal them: %w", context, err)
	}
	return s.Seal(device, context, b)
}

func openValue(key ed25519.PrivateKey, context string, sealed []byte, v any) error {
	if len(sealed) == 0 {
		return nil
	}
	b, err := Open(key, context, sealed)
	if err == nil {
		err = protocol.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("open what is sealed for %s: %w", context, err)
	}
	return nil
}
