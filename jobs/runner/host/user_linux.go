package host

import (
	"errors"
	"os"
	osuser "os/user"
	"strconv"
	"strings"
	"syscall"
)

// user is whom a script runs as.
type user struct {
	uid, gid uint32
	groups   []uint32
	name     string
	home     string
	other    bool // than the agent's
}

// credential is nil for the agent's own user.
func (u user) credential() *syscall.Credential {
	if !u.other {
		return nil
	}
	return &syscall.Credential{Uid: u.uid, Gid: u.gid, Groups: u.groups}
}

// lookUp finds a user by its name or number, or the agent's where none is given. A group may follow a colon.
func lookUp(wanted string) (user, error) {
	name, group, _ := strings.Cut(wanted, ":")
	if name == "" && group != "" {
		return user{}, never("%.80q names a group, and no user", wanted)
	}
	found, err := find(name)
	var unknown osuser.UnknownUserError
	var unknownID osuser.UnknownUserIdError
	switch {
	case errors.As(err, &unknown), errors.As(err, &unknownID):
		number, bad := strconv.ParseUint(name, 10, 32)
		if name == "" {
			number, bad = uint64(os.Geteuid()), nil
		}
		if bad != nil {
			return user{}, never("there is no user %.80q on it", name)
		}
		id := strconv.FormatUint(number, 10)
		found = &osuser.User{Uid: id, Gid: id, Username: id, HomeDir: "/"}
	case err != nil:
		return user{}, err
	}
	u := user{name: found.Username, home: found.HomeDir, uid: number32(found.Uid), gid: number32(found.Gid)}
	if group != "" {
		gid, err := findGroup(group)
		if err != nil {
			return user{}, err
		}
		u.gid = gid
	}
	u.other = int(u.uid) != os.Geteuid() || group != "" && int(u.gid) != os.Getegid()
	if !u.other {
		return u, nil
	}
	if os.Geteuid() != 0 {
		return user{}, never("the agent is no root, so it cannot become user %s: let it run as root, or leave out the user", u.name)
	}
	u.groups = []uint32{u.gid}
	ids, err := found.GroupIds()
	if err == nil {
		for _, id := range ids {
			u.groups = append(u.groups, number32(id))
		}
	}
	return u, nil
}

func find(name string) (*osuser.User, error) {
	if name == "" {
		return osuser.LookupId(strconv.Itoa(os.Geteuid()))
	}
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return osuser.LookupId(name)
	}
	return osuser.Lookup(name)
}

func findGroup(name string) (uint32, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	g, err := osuser.LookupGroup(name)
	if err != nil {
		return 0, never("there is no group %.80q on it", name)
	}
	return number32(g.Gid), nil
}

func number32(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}
