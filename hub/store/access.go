package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/access"
)

// Places of the records of package access.
func accountAt(name string) place { return place{"access.accounts", 1, []byte(name)} }

func tokenAt(id string) place { return place{"access.tokens", 1, []byte(id)} }

func sessionAt(h access.Hash) place { return place{"access.sessions", 1, h[:]} }

func viewsAt(account string) place { return place{"access.views", 1, []byte(account)} }

func teamAt(name string) place { return place{"access.teams", 1, []byte(name)} }

func grantAt(id string) place { return place{"access.grants", 1, []byte(id)} }

func accessSettingsAt() place { return place{"access.settings", 1, []byte("settings")} }

// LoadAccess implements access.Store.
func (s *Store) LoadAccess() (out access.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if err := all(tx, accountAt(""), &out.Accounts); err != nil {
			return err
		}
		if err := all(tx, tokenAt(""), &out.Tokens); err != nil {
			return err
		}
		if err := all(tx, teamAt(""), &out.Teams); err != nil {
			return err
		}
		if err := all(tx, grantAt(""), &out.Grants); err != nil {
			return err
		}
		if out.Settings, err = optional[access.Settings](tx, accessSettingsAt()); err != nil {
			return err
		}
		return all(tx, place{"access.sessions", 1, nil}, &out.Sessions)
	})
	return out, err
}

// PutAccount implements access.Store.
func (s *Store) PutAccount(a access.Account, e access.Ended) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		w.put(accountAt(a.Name), a)
		endAccess(&w, e)
		return w.err
	})
}

// RemoveAccount implements access.Store.
func (s *Store) RemoveAccount(name string, e access.Ended) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		w.remove(accountAt(name))
		w.remove(viewsAt(name))
		endAccess(&w, e)
		return w.err
	})
}

func endAccess(w *writer, e access.Ended) {
	for _, h := range e.Sessions {
		w.remove(sessionAt(h))
	}
	for _, id := range e.Tokens {
		w.remove(tokenAt(id))
	}
	for _, id := range e.Grants {
		w.remove(grantAt(id))
	}
	for _, t := range e.Teams {
		w.put(teamAt(t.Name), t)
	}
}

// PutSession implements access.Store.
func (s *Store) PutSession(session access.Session, a access.Account, ended []access.Hash) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		endAccess(&w, access.Ended{Sessions: ended})
		w.put(sessionAt(session.Hash), session)
		w.put(accountAt(a.Name), a)
		return w.err
	})
}

// RemoveSessions implements access.Store.
func (s *Store) RemoveSessions(ended []access.Hash) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		endAccess(&w, access.Ended{Sessions: ended})
		return w.err
	})
}

// PutAccessSettings implements access.Store.
func (s *Store) PutAccessSettings(x access.Settings) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, accessSettingsAt(), x) })
}

// PutTokens implements access.Store.
func (s *Store) PutTokens(tokens []access.Token) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for _, t := range tokens {
			w.put(tokenAt(t.ID), t)
		}
		return w.err
	})
}

// RemoveToken implements access.Store.
func (s *Store) RemoveToken(id string) error {
	return s.update(func(tx *bbolt.Tx) error { return remove(tx, tokenAt(id)) })
}

// PutGrant implements access.Store.
func (s *Store) PutGrant(g access.Grant) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, grantAt(g.ID), g) })
}

// RemoveGrants implements access.Store.
func (s *Store) RemoveGrants(ids []string) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for _, id := range ids {
			w.remove(grantAt(id))
		}
		return w.err
	})
}

// PutTeam implements access.Store.
func (s *Store) PutTeam(t access.Team) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, teamAt(t.Name), t) })
}

// RemoveTeam implements access.Store.
func (s *Store) RemoveTeam(name string, grants []string) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		w.remove(teamAt(name))
		for _, id := range grants {
			w.remove(grantAt(id))
		}
		return w.err
	})
}

// Views implements access.Store.
func (s *Store) Views(account string) (views []access.View, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		views, err = optional[[]access.View](tx, viewsAt(account))
		return err
	})
	return views, err
}

// PutViews implements access.Store.
func (s *Store) PutViews(account string, views []access.View) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, viewsAt(account), views) })
}
