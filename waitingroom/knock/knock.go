// Package knock is the agent's half of the waiting room: it asks the hub to be let in until the hub says yes.
//
// It decides when to knock and what to say of the machine; connections belong to whoever implements Hub, and the edge key and
// the device key to whoever hands them over. It writes nothing to disk. Whatever goes wrong, the device knocks again later; no
// answer of a hub or a proxy changes anything on the device but an approval, which Run reports by returning.
//
// One goroutine, that of Run, knocks; the other methods may be called from anywhere.
package knock

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// Timing of knocks.
const (
	// firstRetry and lastRetry bound the back-off when the hub cannot be reached.
	firstRetry = time.Second
	lastRetry  = 10 * time.Minute
	// holdRetry is the pause in the first quarter of an hour after an answer that came at once and named none.
	holdRetry = 30 * time.Second
	// longestPause bounds what a hub can ask for.
	longestPause = 24 * time.Hour
)

// Hub carries knocks. Knock sends the body that build makes for the exporter of the connection, an encoded
// protocol.SignedKnock. It keeps its connection until Close, after which it may be used again.
type Hub interface {
	Knock(ctx context.Context, build func(exporter []byte) ([]byte, error)) (protocol.KnockAnswer, error)
	Close() error
}

// Config of a Knocker. Key, EdgeKey, Facts, Hub and Log must be set.
type Config struct {
	Key     ed25519.PrivateKey
	EdgeKey waitingroom.EdgeKey
	// Facts of the machine, read for each knock.
	Facts func() protocol.Facts
	// Labels the device wishes for.
	Labels map[string]string
	Hub    Hub
	// Contact returns when the hub may be asked, with a context that ends when it may not be any more. nil: it may be at
	// any time.
	Contact func(context.Context) (context.Context, context.CancelFunc, error)
	// Changed is called when the status has changed. nil: nobody is told.
	Changed func(Status)
	Log     *slog.Logger
}

// State is how the device stands with its hub.
type State string

// States.
const (
	StateKnocking    State = "knocking"    // nothing heard yet
	StateUnreachable State = "unreachable" // the last knock was not answered
	StateWaiting     State = "waiting"     // in the waiting room
	StateRejected    State = "rejected"    // an operator said no
	StateRefused     State = "refused"     // not even in the waiting room
	StateApproved    State = "approved"
)

// Status tells how the device stands.
type Status struct {
	State State `json:"state"`
	// PairingCode of the device. Empty: not computed yet; it is when the device has to wait.
	PairingCode string `json:"pairing_code,omitempty"`
	// Reason why it is unreachable, rejected or refused, and what to do, for people.
	Reason string `json:"reason,omitempty"`
	// Since when it is in this state; LastAnswer of the hub; Next knock. Zero: none. While the hub holds a knock there
	// is no next one.
	Since      time.Time `json:"since"`
	LastAnswer time.Time `json:"last_answer,omitzero"`
	Next       time.Time `json:"next,omitzero"`
}

// Knocker knocks.
type Knocker struct {
	cfg  Config
	now  chan struct{}
	code func() string

	mu     sync.Mutex
	status Status
}

// New returns a Knocker that does nothing before Run.
func New(cfg Config) *Knocker {
	if cfg.Changed == nil {
		cfg.Changed = func(Status) {}
	}
	if cfg.Contact == nil {
		cfg.Contact = func(ctx context.Context) (context.Context, context.CancelFunc, error) {
			within, cancel := context.WithCancel(ctx)
			return within, cancel, nil
		}
	}
	return &Knocker{
		cfg:    cfg,
		now:    make(chan struct{}, 1),
		code:   sync.OnceValue(func() string { return waitingroom.PairingCode(cfg.Key.Public().(ed25519.PublicKey)) }),
		status: Status{State: StateKnocking, Since: time.Now()},
	}
}

// Now knocks at once, and for a quarter of an hour keeps a connection to hear of the approval.
func (k *Knocker) Now() {
	select {
	case k.now <- struct{}{}:
	default:
	}
}

// Status tells how the device stands.
func (k *Knocker) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

// Run knocks until the hub approves the device, and then returns nil; else it returns when ctx ends, with its cause.
//
// The first knock, and the first after a failure, is answered at once, so that whoever stands before the device sees
// that it waits, and its pairing code. The next ones are held by the hub until there is something to say.
func (k *Knocker) Run(ctx context.Context) error {
	defer func() { _ = k.cfg.Hub.Close() }() // nothing is lost with the connection
	attentive := time.Now().Add(protocol.WaitingHold)
	heard := false
	for failures := 0; ; {
		listen := time.Now().Before(attentive)
		hold := listen && heard
		within, end, err := k.cfg.Contact(ctx)
		if err != nil {
			return err
		}
		answer, err := k.once(within, hold)
		var pause time.Duration
		switch {
		case ctx.Err() != nil:
			end()
			return context.Cause(ctx)
		case err != nil && within.Err() != nil: // the next knock waits for the next time of contact
		case err != nil:
			heard = false
			pause = backOff(failures)
			failures++
			k.set(StateUnreachable, err.Error(), pause)
		case answer.State == protocol.KnockApproved:
			end()
			k.set(StateApproved, "", 0)
			return nil
		case answer.State == protocol.KnockWaiting && listen:
			if hold {
				pause = pauseAfter(answer, hold)
			}
			failures, heard = 0, true
			k.set(StateWaiting, reasonOf(answer), 0) // it hears of a decision when there is one
		default:
			failures, heard = 0, true
			pause = pauseAfter(answer, hold)
			k.set(stateOf(answer), reasonOf(answer), pause)
		}
		if pause > time.Minute || !time.Now().Before(attentive) {
			_ = k.cfg.Hub.Close() // the next knock makes a new one
		}
		woken, err := k.wait(ctx, within, pause)
		end()
		if err != nil {
			return err
		} else if woken {
			attentive, failures = time.Now().Add(protocol.WaitingHold), 0
		}
	}
}

// wait tells whether Now was called before the pause was over. When within ends so does the connection.
func (k *Knocker) wait(ctx, within context.Context, pause time.Duration) (woken bool, err error) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	over := within.Done()
	for {
		select {
		case <-timer.C:
			return false, nil
		case <-k.now:
			return true, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-over:
			_ = k.cfg.Hub.Close() // the next knock makes a new one
			over = nil
		}
	}
}

// once knocks one time and waits for the answer, which the hub may hold back until there is something to say.
func (k *Knocker) once(ctx context.Context, hold bool) (protocol.KnockAnswer, error) {
	return k.cfg.Hub.Knock(ctx, func(exporter []byte) ([]byte, error) {
		pub := k.cfg.Key.Public().(ed25519.PublicKey)
		facts := k.cfg.Facts()
		facts.Name = k.cfg.EdgeKey.Name
		body, err := protocol.Marshal(protocol.Knock{
			Key: pub, EnrolmentKey: k.cfg.EdgeKey.KeyID,
			Proof: waitingroom.ConnectionProof(k.cfg.EdgeKey.Secret, exporter, pub),
			Facts: facts, Labels: k.cfg.Labels, Hold: hold,
		})
		if err != nil {
			return nil, fmt.Errorf("make knock: %w", err)
		}
		return protocol.Marshal(protocol.SignedKnock{
			Knock: body, Sig: protocol.SignConnection(k.cfg.Key, protocol.PurposeKnock, string(body), exporter),
		})
	})
}

// backOff is the pause after so many failures in a row: full jitter, between nothing and twice as much each time.
func backOff(failures int) time.Duration {
	most := lastRetry
	if failures < 10 {
		most = min(firstRetry<<failures, lastRetry)
	}
	return firstRetry/10 + rand.N(most)
}

// pauseAfter is the pause after an answer.
func pauseAfter(a protocol.KnockAnswer, hold bool) time.Duration {
	pause := time.Duration(a.RetryAfter) * time.Second
	switch {
	case hold && a.State == protocol.KnockWaiting && pause == 0:
		pause = holdRetry
	case hold && a.State == protocol.KnockWaiting:
		// as the hub says: soon
	case pause == 0 || pause < protocol.WaitingKnock && a.Code != protocol.CodeBusy:
		pause = protocol.WaitingKnock
	}
	if pause = min(pause, longestPause); pause < time.Minute {
		return pause
	}
	return pause - pause/20 + rand.N(pause/10) // devices that were switched on together do not stay together
}

func stateOf(a protocol.KnockAnswer) State {
	switch a.State {
	case protocol.KnockRejected:
		return StateRejected
	case protocol.KnockRefused:
		return StateRefused
	default:
		return StateWaiting
	}
}

func reasonOf(a protocol.KnockAnswer) string {
	if a.Code == 0 && a.Text == "" {
		return ""
	}
	return (&protocol.Error{Code: a.Code, Text: a.Text}).Error()
}

// set notes the state and says in one line of the log when it, or its reason, changed.
func (k *Knocker) set(state State, reason string, pause time.Duration) {
	code := ""
	if state != StateApproved {
		code = k.code()
	}
	now := time.Now()
	k.mu.Lock()
	s := &k.status
	fresh := s.State != state
	changed := fresh || s.Reason != reason
	if fresh {
		s.Since = now
	}
	s.State, s.Reason, s.PairingCode, s.Next = state, reason, code, now.Add(pause)
	if pause == 0 {
		s.Next = time.Time{}
	}
	if state != StateUnreachable {
		s.LastAnswer = now
	}
	status := *s
	k.mu.Unlock()
	k.cfg.Changed(status)
	if !changed {
		return
	}
	log := k.cfg.Log.With("state", state)
	if !status.Next.IsZero() {
		log = log.With("next", status.Next.Round(time.Second))
	}
	switch state {
	case StateApproved:
		k.cfg.Log.Info("approved: this device is in")
	case StateWaiting:
		log.Info("waiting for approval: compare the pairing code and approve this device at the hub", "pairing_code", code)
	case StateUnreachable:
		if !fresh { // each attempt may fail in other words; one line is enough
			log.Debug("hub is still not reached", "error", errors.New(reason))
			return
		}
		fallthrough
	default:
		log.Warn("not let in, trying again", "pairing_code", code, "error", errors.New(reason))
	}
}
