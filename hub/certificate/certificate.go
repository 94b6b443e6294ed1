// Package certificate owns what browsers and the CLI see of the hub: the certificate that an operator gave, by upload or
// as files, or the one that the hub made itself. A change holds from the next handshake on.
//
// It never touches what agents see: they pin the hub key (package identity). It never gives a key away: an uploaded one
// is sealed in the store, and files stay where they are. Files win over an upload.
//
// A Keeper is safe for concurrent use. Run looks at the files and the calendar until its context ends.
package certificate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"
)

// Where the certificate in use comes from.
const (
	SourceGenerated = "generated"
	SourceUpload    = "upload"
	SourceFiles     = "files"
)

// Sealing purpose of an uploaded key.
const purpose = "certificate key"

// Timing.
const (
	// lookEvery is how often files and calendar are looked at.
	lookEvery = 30 * time.Second
	day       = 24 * time.Hour
)

// ErrFiles: an upload was to be changed while files are in use.
var ErrFiles = errors.New("the certificate comes from files")

// Saved is an uploaded certificate as it is stored.
type Saved struct {
	// Chain is PEM, the hub's own certificate first.
	Chain []byte `cbor:"1,keyasint"`
	// Key is PEM, sealed by the vault.
	Key []byte `cbor:"2,keyasint"`
}

// Store keeps the upload. Each method is one transaction.
type Store interface {
	// LoadCertificate gives a zero Saved where there is none.
	LoadCertificate() (Saved, error)
	PutCertificate(Saved) error
	RemoveCertificate() error
}

// Vault seals; *vault.Vault is one.
type Vault interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Config of a Keeper. Store, Vault and Generated are required.
type Config struct {
	Store Store
	Vault Vault
	// Generated is what the hub made itself.
	Generated *tls.Certificate
	// CertFile and KeyFile are files, PEM, that win over an upload. Both "": none.
	CertFile, KeyFile string
	// Ending is told once when the certificate in use ends within 30 days, within 7, and when it has ended. Nil: nobody.
	Ending func(Status)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Status is what everybody may know of the certificate in use.
type Status struct {
	// Source is one of the constants above.
	Source          string
	Subject, Issuer string
	// Names are the host names and addresses that it is good for.
	Names       []string
	From, Until time.Time
	// Fingerprint as in `farshore login --fingerprint`.
	Fingerprint string
	// Chain is how many certificates are sent.
	Chain int
	// Problem says why a newer one, in the files or the store, is not in use. "": there is none.
	Problem string

	leaf *x509.Certificate
}

// GoodFor reports whether it is for this host name or address.
func (s Status) GoodFor(host string) bool { return s.leaf != nil && s.leaf.VerifyHostname(host) == nil }

// Own reports whether it was given by an operator.
func (s Status) Own() bool { return s.Source != SourceGenerated }

// Keeper holds the certificate in use.
type Keeper struct {
	c     Config
	write sync.Mutex        // held while the upload is changed or files are read; taken before mu
	print [sha256.Size]byte // of the files in use; guarded by write

	mu      sync.RWMutex
	current *tls.Certificate
	source  string
	problem string
	warned  time.Duration // the nearest end that Ending was told of; 0: none
}

// New reads the files, or else the upload. Files that cannot be used are an error, since somebody is there to read it;
// an upload that cannot is a Problem in the Status.
func New(c Config) (*Keeper, error) {
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, errors.New("certificate: give both files, --tls-cert and --tls-key, or neither")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Ending == nil {
		c.Ending = func(Status) {}
	}
	if c.Generated.Leaf == nil {
		return nil, errors.New("certificate: the generated one is not parsed")
	}
	k := &Keeper{c: c, current: c.Generated, source: SourceGenerated}
	if c.CertFile != "" {
		return k, k.Reload()
	}
	pair, err := k.stored()
	switch {
	case err != nil:
		k.problem = fmt.Sprintf("the uploaded certificate cannot be used: %v", err)
		c.Log.Error("the uploaded certificate cannot be used: browsers see the generated one; upload it again", "error", err)
	case pair != nil:
		k.current, k.source = pair, SourceUpload
	}
	return k, nil
}

// stored opens the upload; nil where there is none.
func (k *Keeper) stored() (*tls.Certificate, error) {
	saved, err := k.c.Store.LoadCertificate()
	if err != nil || len(saved.Chain) == 0 {
		return nil, err
	}
	key, err := k.c.Vault.Open(purpose, saved.Key)
	if err != nil {
		return nil, err
	}
	return parse(saved.Chain, key)
}

// Get is for tls.Config.GetCertificate.
func (k *Keeper) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.current, nil
}

// Status of the certificate in use.
func (k *Keeper) Status() Status {
	k.mu.RLock()
	defer k.mu.RUnlock()
	leaf := k.current.Leaf
	return Status{
		Source: k.source, Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), Names: names(leaf),
		From: leaf.NotBefore, Until: leaf.NotAfter, Chain: len(k.current.Certificate), Problem: k.problem,
		Fingerprint: fingerprint(leaf.Raw), leaf: leaf,
	}
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Strict tells browsers to use HTTPS alone for a year, while a certificate of the operator's is in use. With the
// generated one they would then let nobody past their warning any more.
func (k *Keeper) Strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.RLock()
		own := k.source != SourceGenerated
		k.mu.RUnlock()
		if own {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// Put replaces the upload, and uses it. check is asked before anything is changed, with the Status that is so far.
// Errors wrap ErrInvalid or ErrFiles.
func (k *Keeper) Put(chain, key []byte, check func(Status) error) error {
	pair, err := parse(chain, key)
	if err == nil {
		err = checkDates(pair.Leaf, k.c.Now())
	}
	if err != nil {
		return err
	}
	return k.change(check, func() error {
		return k.c.Store.PutCertificate(Saved{Chain: chain, Key: k.c.Vault.Seal(purpose, key)})
	}, pair, SourceUpload)
}

// Remove goes back to the certificate that the hub made. check as for Put. Errors wrap ErrFiles.
func (k *Keeper) Remove(check func(Status) error) error {
	return k.change(check, k.c.Store.RemoveCertificate, k.c.Generated, SourceGenerated)
}

func (k *Keeper) change(check func(Status) error, save func() error, pair *tls.Certificate, source string) error {
	k.write.Lock()
	defer k.write.Unlock()
	if k.c.CertFile != "" {
		return fmt.Errorf("%w %q and %q: replace these, or start the hub without --tls-cert", ErrFiles, k.c.CertFile, k.c.KeyFile)
	}
	if err := check(k.Status()); err != nil {
		return err
	}
	if err := save(); err != nil {
		return fmt.Errorf("store the certificate: %w", err)
	}
	k.use(pair, source)
	return nil
}

func (k *Keeper) use(pair *tls.Certificate, source string) {
	k.mu.Lock()
	k.current, k.source, k.problem, k.warned = pair, source, "", 0
	k.mu.Unlock()
	k.warn()
}

// Reload reads the files, where there are any. What cannot be used is left aside: the certificate in use stays, and
// Status has the Problem.
func (k *Keeper) Reload() error {
	if k.c.CertFile == "" {
		return nil
	}
	k.write.Lock()
	defer k.write.Unlock()
	chain, err := os.ReadFile(k.c.CertFile)
	if err != nil {
		return k.fail(fmt.Errorf("read certificate (--tls-cert): %w", err))
	}
	key, err := os.ReadFile(k.c.KeyFile)
	if err != nil {
		return k.fail(fmt.Errorf("read its key (--tls-key): %w", err))
	}
	print := sha256.Sum256(append(append(chain[:len(chain):len(chain)], 0), key...))
	if print == k.print { // of what is in use, perhaps put back
		k.mu.Lock()
		k.problem = ""
		k.mu.Unlock()
		return nil
	}
	pair, err := parse(chain, key)
	if err == nil {
		err = checkDates(pair.Leaf, k.c.Now())
	}
	if err != nil {
		return k.fail(fmt.Errorf("%q with %q: %w", k.c.CertFile, k.c.KeyFile, err))
	}
	k.print = print
	k.use(pair, SourceFiles)
	s := k.Status()
	k.c.Log.Info("certificate for browsers read", "file", k.c.CertFile, "subject", s.Subject, "until", s.Until.UTC().Format(time.RFC3339))
	return nil
}

func (k *Keeper) fail(err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.problem = err.Error()
	return err
}

// Run looks at the files, and tells in time that the certificate ends, until ctx does.
func (k *Keeper) Run(ctx context.Context) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	said := ""
	for {
		err := k.Reload()
		if err != nil && err.Error() != said {
			k.c.Log.Error("the certificate's files have changed and cannot be used: browsers see the one before", "error", err)
			said = err.Error()
		}
		k.warn()
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// warn tells Ending when an end has come near that it was not told of.
func (k *Keeper) warn() {
	s := k.Status()
	if !s.Own() {
		return
	}
	left := s.Until.Sub(k.c.Now())
	for _, near := range []time.Duration{1, 7 * day, 30 * day} { // 1: it has ended
		if left >= near {
			continue
		}
		k.mu.Lock()
		told := k.warned != 0 && k.warned <= near
		if !told {
			k.warned = near
		}
		k.mu.Unlock()
		if !told {
			k.c.Ending(s)
		}
		return
	}
}
