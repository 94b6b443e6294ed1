package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// MinPassphrase is the fewest characters of a passphrase.
const MinPassphrase = 12

// scryptWork makes trying a passphrase cost 128 MiB and some tenths of a second, 2^17 rounds; a backup that asks for
// more than maxScryptWork is refused rather than let it take all memory.
const (
	scryptWork    = 17
	maxScryptWork = 20
)

// Lock is what a backup is encrypted with. Make one with a passphrase or with recipients.
type Lock struct{ recipients []age.Recipient }

// PassphraseLock locks with a passphrase of MinPassphrase characters or more.
func PassphraseLock(passphrase string) (Lock, error) { return passphraseLock(passphrase, scryptWork) }

func passphraseLock(passphrase string, work int) (Lock, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return Lock{}, err
	}
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return Lock{}, fmt.Errorf("%w: passphrase: %w", ErrInvalid, err)
	}
	r.SetWorkFactor(work)
	return Lock{recipients: []age.Recipient{r}}, nil
}

// CheckPassphrase says what is wrong with a passphrase; the error wraps ErrInvalid and does not repeat it.
func CheckPassphrase(passphrase string) error {
	switch n := utf8.RuneCountInString(passphrase); {
	case !utf8.ValidString(passphrase) || strings.ContainsAny(passphrase, "\x00\r\n"):
		return fmt.Errorf("%w: the passphrase must be one line of text", ErrInvalid)
	case n < MinPassphrase:
		return fmt.Errorf("%w: the passphrase has %d characters: take %d or more, since it alone guards all devices of this hub", ErrInvalid, n, MinPassphrase)
	case len(passphrase) > 1024:
		return fmt.Errorf("%w: the passphrase is longer than 1024 bytes", ErrInvalid)
	}
	return nil
}

// maxRecipients bounds a list of recipients.
const maxRecipients = 20

// RecipientsLock locks for the holders of keys: age public keys (age1…) and SSH public keys (ssh-ed25519, ssh-rsa).
func RecipientsLock(texts []string) (Lock, error) {
	if len(texts) == 0 || len(texts) > maxRecipients {
		return Lock{}, fmt.Errorf("%w: %d recipients: want 1 to %d", ErrInvalid, len(texts), maxRecipients)
	}
	var l Lock
	for _, t := range texts {
		r, err := recipient(strings.TrimSpace(t))
		if err != nil {
			return Lock{}, err
		}
		l.recipients = append(l.recipients, r)
	}
	return l, nil
}

func recipient(text string) (age.Recipient, error) {
	switch {
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"), strings.Contains(text, "PRIVATE KEY"):
		return nil, fmt.Errorf("%w: a recipient is a private key: give its public key (age1… or ssh-…) here, and keep this one to yourself", ErrInvalid)
	case strings.HasPrefix(text, "ssh-"):
		r, err := agessh.ParseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("%w: recipient %.60q is no SSH key that can be used: take ssh-ed25519 or ssh-rsa of 2048 bits or more", ErrInvalid, text)
		}
		return r, nil
	}
	list, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(list) != 1 {
		return nil, fmt.Errorf("%w: recipient %.60q is neither an age public key (age1…) nor an SSH public key", ErrInvalid, text)
	}
	return list[0], nil
}

// Key opens backups.
type Key struct{ identities []age.Identity }

// PassphraseKey opens what was locked with the passphrase.
func PassphraseKey(passphrase string) (Key, error) {
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return Key{}, fmt.Errorf("%w: the passphrase is empty", ErrInvalid)
	}
	id.SetMaxWorkFactor(maxScryptWork)
	return Key{identities: []age.Identity{id}}, nil
}

// IdentityKey opens what was locked for the holder of the private keys that are read: age keys (AGE-SECRET-KEY-…), or
// one SSH private key without a passphrase.
func IdentityKey(r io.Reader) (Key, error) {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	if bytes.Contains(raw, []byte("PRIVATE KEY-----")) {
		id, err := agessh.ParseIdentity(raw)
		if err != nil {
			return Key{}, fmt.Errorf("%w: the SSH private key cannot be used: it must be ed25519 or RSA, and without a passphrase (ssh-keygen -p on a copy of it)", ErrInvalid)
		}
		return Key{identities: []age.Identity{id}}, nil
	}
	ids, err := age.ParseIdentities(bytes.NewReader(raw))
	if err != nil {
		return Key{}, fmt.Errorf("%w: the key file holds neither age keys (AGE-SECRET-KEY-…) nor an SSH private key", ErrInvalid)
	}
	return Key{identities: ids}, nil
}

// open begins to decrypt.
func (k Key) open(r io.Reader) (io.Reader, error) {
	plain, err := age.Decrypt(r, k.identities...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, fmt.Errorf("%w: the passphrase is wrong, or it was made for other keys", ErrWrongKey)
	case err != nil:
		return nil, fmt.Errorf("%w: its beginning cannot be read: %w", ErrDamaged, err)
	}
	return plain, nil
}
