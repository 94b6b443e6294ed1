package access

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// maxSessions is the most live sessions of one account; a new one ends the oldest.
const maxSessions = 100

// SessionSeen is a session as lists show it.
type SessionSeen struct {
	Session
	// LastUsed in Unix seconds. 0: not since the hub started.
	LastUsed int64
}

// Sessions gives the sessions of an account that are open, the newest first.
func (a *Access) Sessions(account string, now int64) []SessionSeen {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var out []SessionSeen
	for _, s := range a.sessions {
		if s.Account == account && now < s.Expires {
			out = append(out, SessionSeen{s.Session, s.used.Load()})
		}
	}
	slices.SortFunc(out, func(x, y SessionSeen) int {
		return cmp.Or(cmp.Compare(y.Created, x.Created), strings.Compare(x.ID(), y.ID()))
	})
	return out
}

// EndSession ends the session with the id. Errors wrap ErrNotFound.
func (a *Access) EndSession(account, id string) error {
	n, err := a.endWhere(func(s Session) bool { return s.Account == account && s.ID() == id })
	if err == nil && n == 0 {
		err = fmt.Errorf("session %.40q: %w: it has ended already", id, ErrNotFound)
	}
	return err
}

// EndSessions ends all sessions of an account but the one with the id, and says how many there were. "": all.
func (a *Access) EndSessions(account, but string) (int, error) {
	return a.endWhere(func(s Session) bool { return s.Account == account && s.ID() != but })
}

// Logout ends the session. One that is not there is no error.
func (a *Access) Logout(session string) error {
	hash := Hash(sha256.Sum256([]byte(session)))
	_, err := a.endWhere(func(s Session) bool { return s.Hash == hash })
	return err
}

func (a *Access) endWhere(is func(Session) bool) (int, error) {
	a.write.Lock()
	defer a.write.Unlock()
	ended := a.sessionsWhere(is)
	if len(ended) == 0 {
		return 0, nil
	}
	if err := a.store.RemoveSessions(ended); err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end(ended)
	return len(ended), nil
}

func (a *Access) sessionsWhere(is func(Session) bool) (out []Hash) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for h, s := range a.sessions {
		if is(s.Session) {
			out = append(out, h)
		}
	}
	return out
}

// end needs mu.
func (a *Access) end(ended []Hash) {
	for _, h := range ended {
		delete(a.sessions, h)
	}
}
