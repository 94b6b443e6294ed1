package edgeagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"time"

	"github.com/farshore/farshore/internal/localsocket"
	"github.com/farshore/farshore/stacks/reconciler"
)

// localStacks answers how the stacks of the device stand, also while neither hub nor engine is there.
func (a *Agent) localStacks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(reconciler.List(a.state)); err != nil {
		a.log.Debug("answer was not read to the end", "error", err)
	}
}

// localDecision carries out what somebody at the device decided about a stack.
func (a *Agent) localDecision(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	by, err := decider(r.Context(), q.Get("by"))
	if err == nil && !a.assembled.Load() {
		err = ErrNoEdgeKey
	}
	var version uint64
	if text := q.Get("version"); err == nil && text != "" {
		if version, err = strconv.ParseUint(text, 10, 64); err != nil || version == 0 {
			err = fmt.Errorf("version %.20q: want a number from 1", text)
		}
	}
	if err == nil {
		err = a.reconciler.Decide(r.Context(), reconciler.Decision{
			Stack: q.Get("stack"), Deed: reconciler.Deed(r.PathValue("deed")), Version: version, By: by, Reason: q.Get("reason"),
		})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

var reUser = regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,64}$`)

// decider names who asks: the user at the other end of the socket or, for root, whoever became root, if he says so. Only
// root and the user that the agent runs as may decide.
func decider(ctx context.Context, says string) (string, error) {
	uid, ok := localsocket.Peer(ctx)
	if !ok {
		return "", nil // the socket's mode has let only them in
	}
	if uid != 0 && int(uid) != os.Geteuid() {
		return "", errors.New("only root may decide about this device: use sudo")
	}
	if reUser.MatchString(says) {
		return says, nil
	}
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil && reUser.MatchString(u.Username) {
		return u.Username, nil
	}
	return "user " + strconv.FormatUint(uint64(uid), 10), nil
}

// AskStacks asks the agent that runs with the data folder how its stacks stand. The error wraps ErrNotRunning where no
// agent answers.
func AskStacks(ctx context.Context, data string) (list []reconciler.Local, err error) {
	body, err := askLocal(ctx, data, http.MethodGet, "/stacks")
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	return list, err
}

// decisionTimeout is how long a decision may take to be carried out: containers may take their time to stop.
const decisionTimeout = 15 * time.Minute

// Decide tells the agent that runs with the data folder what somebody at the device decided, and returns when it is done.
// Who that is the agent finds out itself; By counts if the caller is root. The error is a sentence for people, and wraps
// ErrNotRunning where no agent answers.
func Decide(ctx context.Context, data string, d reconciler.Decision) error {
	ctx, cancel := context.WithTimeout(ctx, decisionTimeout)
	defer cancel()
	q := url.Values{"stack": {d.Stack}, "reason": {d.Reason}, "by": {d.By}}
	if d.Version != 0 {
		q.Set("version", strconv.FormatUint(d.Version, 10))
	}
	_, err := askLocal(ctx, data, http.MethodPost, "/stacks/"+url.PathEscape(string(d.Deed))+"?"+q.Encode())
	return refusal(err)
}

// refusal is the sentence alone where the agent has refused.
func refusal(err error) error {
	var refused *localsocket.Refusal
	if errors.As(err, &refused) {
		return errors.New(refused.Text)
	}
	return err
}
