package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238's usual hash: what authenticators know
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// factorPurpose is what secrets of second factors are sealed for.
const factorPurpose = "second factor"

// Shape of second factors. Authenticators know no other than these codes.
const (
	codeDigits     = 6
	codePeriod     = 30 // seconds
	recoveryCodes  = 10
	recoveryLength = 16 // characters of base32
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// totp is the code of a step (RFC 6238 on RFC 4226).
func totp(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash takes all
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", codeDigits, n%1_000_000)
}

// stepOf gives the step that a code is of, of those near now and after last; 0: none.
func stepOf(secret []byte, code string, last int64) int64 {
	now := time.Now().Unix() / codePeriod
	for step := now - 1; step <= now+1; step++ {
		if step > last && subtle.ConstantTimeCompare([]byte(totp(secret, step)), []byte(code)) == 1 {
			return step
		}
	}
	return 0
}

// useCode uses a code up.
func useCode(x Account, secret []byte, code string, wrong error) (Account, error) {
	if x.Factor == nil {
		return x, nil // it was taken away meanwhile
	}
	f := *x.Factor
	if f.Step = stepOf(secret, strings.ReplaceAll(code, " ", ""), f.Step); f.Step == 0 {
		return x, wrong
	}
	x.Factor = &f
	return x, nil
}

// useRecovery uses a recovery code up.
func useRecovery(x Account, code string, wrong error) (Account, error) {
	if x.Factor == nil {
		return x, nil
	}
	f := *x.Factor
	i := slices.Index(f.Recovery, recoveryHash(code))
	if i < 0 {
		return x, wrong
	}
	f.Recovery = slices.Delete(slices.Clone(f.Recovery), i, i+1)
	x.Factor = &f
	return x, nil
}

func plainCode(code string) string {
	return strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code))
}

func isRecovery(code string) bool { return len(plainCode(code)) == recoveryLength }

func recoveryHash(code string) Hash { return sha256.Sum256([]byte("recovery " + plainCode(code))) }

// newRecovery draws recovery codes.
func newRecovery() (codes []string, hashes []Hash) {
	for range recoveryCodes {
		c := strings.ToLower(rand.Text()[:recoveryLength])
		codes = append(codes, c[:4]+"-"+c[4:8]+"-"+c[8:12]+"-"+c[12:])
		hashes = append(hashes, recoveryHash(c))
	}
	return codes, hashes
}

// Enrolment is what an authenticator has to know.
type Enrolment struct {
	// Secret in base32, to type in; URL is the same for a QR code.
	Secret, URL string
}

// BeginFactor draws a new second factor for the account behind p. It counts once a code has confirmed it. issuer names
// the hub in the authenticator; password is the account's own. Errors are as of SetPassword, and wrap ErrExists where there
// is a second factor.
func (a *Access) BeginFactor(p Principal, password, issuer string) (out Enrolment, err error) {
	if _, err := a.prove(p, password); err != nil {
		return out, err
	}
	if a.vault == nil {
		return out, fmt.Errorf("%w: this hub keeps no secrets at rest", ErrInvalid)
	}
	secret := make([]byte, 20)
	_, _ = rand.Read(secret) // crypto/rand.Read never fails (Go 1.24)
	err = a.update(p.Owner, func(x *Account) (Ended, error) {
		if x.Guarded() {
			return Ended{}, fmt.Errorf("second factor: %w: turn it off first", ErrExists)
		}
		x.Factor = &Factor{Sealed: a.vault.Seal(factorPurpose, secret)}
		return Ended{}, nil
	})
	if err != nil {
		return out, err
	}
	out.Secret = base32Text.EncodeToString(secret)
	label := url.PathEscape(issuer) + ":" + url.PathEscape(p.Owner)
	out.URL = fmt.Sprintf("otpauth://totp/%s?secret=%s&issuer=%s", label, out.Secret, strings.ReplaceAll(url.QueryEscape(issuer), "+", "%20"))
	return out, nil
}

// ConfirmFactor makes the second factor count that was begun, ends the account's other sessions, and gives its recovery
// codes, once. Errors wrap ErrNotFound (none was begun) or ErrInvalid (the code is wrong).
func (a *Access) ConfirmFactor(p Principal, code string) (codes []string, err error) {
	x, err := a.Account(p.Owner)
	if err != nil {
		return nil, err
	}
	if p.Kind != KindUser || x.Factor == nil || x.Guarded() {
		return nil, fmt.Errorf("second factor: %w: none waits to be confirmed: begin again", ErrNotFound)
	}
	secret, err := a.vault.Open(factorPurpose, x.Factor.Sealed)
	if err != nil {
		return nil, fmt.Errorf("second factor of %q: %w", x.Name, err)
	}
	attempt, err := a.delays.beginCode(x.Name)
	if err != nil {
		return nil, err
	}
	codes, hashes := newRecovery()
	err = a.update(x.Name, func(now *Account) (Ended, error) {
		if now.Factor == nil || !bytes.Equal(now.Factor.Sealed, x.Factor.Sealed) || now.Guarded() {
			return Ended{}, fmt.Errorf("second factor: %w: it was begun anew meanwhile", ErrNotFound)
		}
		used, err := useCode(*now, secret, code, fmt.Errorf("code: %w: it is not the one of now: look whether the clocks of hub and authenticator are right", ErrInvalid))
		if err != nil {
			return Ended{}, err
		}
		*now = used
		now.Factor.Since, now.Factor.Recovery = time.Now().Unix(), hashes
		return Ended{Sessions: a.othersThan(p)}, nil
	})
	if err != nil {
		return nil, err
	}
	a.delays.succeeded(attempt)
	return codes, nil
}

// RenewRecovery gives the account behind p new recovery codes in place of those it has; password is its own. Errors are
// as of SetPassword, and wrap ErrNotFound where there is no second factor.
func (a *Access) RenewRecovery(p Principal, password string) ([]string, error) {
	x, err := a.prove(p, password)
	if err != nil {
		return nil, err
	}
	codes, hashes := newRecovery()
	return codes, a.update(x.Name, func(x *Account) (Ended, error) {
		if !x.Guarded() {
			return Ended{}, fmt.Errorf("second factor: %w: set one up first", ErrNotFound)
		}
		f := *x.Factor
		f.Recovery = hashes
		x.Factor = &f
		return Ended{}, nil
	})
}

// DropFactor turns the second factor of the account behind p off; password is its own. Errors are as of SetPassword.
func (a *Access) DropFactor(p Principal, password string) error {
	x, err := a.prove(p, password)
	if err != nil {
		return err
	}
	return a.ResetFactor(x.Name)
}

// ResetFactor takes the second factor of an account away, for one who has lost it. Errors wrap ErrNotFound.
func (a *Access) ResetFactor(name string) error {
	return a.update(name, func(x *Account) (Ended, error) {
		x.Factor = nil
		return Ended{}, nil
	})
}

// CodeOf gives the code that an authenticator shows at a time for a secret in base32; "": it is none.
func CodeOf(secret string, at time.Time) string {
	raw, err := base32Text.DecodeString(secret)
	if err != nil {
		return ""
	}
	return totp(raw, at.Unix()/codePeriod)
}
