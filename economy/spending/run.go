package spending

import (
	"context"
	"fmt"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// lookAgain is how long Run waits at the most where there are rules: a device may have been suspended, or its clock set.
const lookAgain = 15 * time.Minute

// Run announces the stages of spending, and tells those who wait when days, cycles and openings begin and end, until ctx
// ends.
func (k *Keeper) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Stop()
		if wait := k.step(); wait > 0 {
			timer.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.kick:
		case <-timer.C:
		}
	}
}

// seen is what was when Run last looked.
type seen struct {
	stage protocol.Spending
	open  bool
	cycle uint32
}

// step does what is due, and returns how long nothing will be. 0: until something is spent.
func (k *Keeper) step() time.Duration {
	connect := k.cfg.Connect()
	k.mu.Lock()
	k.connect = connect
	now := k.turn()
	is := seen{k.stage(), k.isOpen(now), k.cycle.First}
	if is != k.seen {
		k.notifyOthers()
	}
	k.seen = is
	kind, text := k.toSay(is.stage)
	wait := k.untilNext(now)
	k.mu.Unlock()
	k.unpark()
	if kind != "" {
		k.announce(kind, text)
		if err := k.keep(); err != nil {
			k.cfg.Log.Error("the stage of spending could not be written down", "error", err)
		}
	}
	return wait
}

// notifyOthers is notify but for Run itself.
func (k *Keeper) notifyOthers() {
	signal(k.changed)
	close(k.waiters)
	k.waiters = make(chan struct{})
}

// untilNext is how long it takes until something changes by itself.
func (k *Keeper) untilNext(now time.Time) time.Duration {
	wait := time.Duration(0)
	at := func(t time.Time) {
		if d := t.Sub(now); d > 0 && (wait == 0 || d < wait) {
			wait = d
		}
	}
	if left := time.Until(k.local); left > 0 {
		at(now.Add(left))
	}
	if !k.contact.Always() {
		if o, ok := k.openingAt(now); ok {
			at(o.Start)
			at(o.End)
		}
		at(now.Add(lookAgain))
	}
	if k.rules.Budget != nil {
		at(k.dayEnd)
		at(now.Add(lookAgain))
	}
	return wait
}

// toSay gives the event that a stage deserves, "" where it was announced before. The caller holds mu.
func (k *Keeper) toSay(stage protocol.Spending) (kind, text string) {
	caps := k.caps()
	before := k.said
	k.said = Record{Stage: stage, Cycle: k.cycle.First, Soft: caps.Soft, Hard: caps.Hard}
	if before.Cycle == k.said.Cycle && before.Soft == caps.Soft && before.Hard == caps.Hard && before.Stage == stage {
		k.said = before
		return "", ""
	}
	k.dirty = true
	if before.Stage == stage {
		return "", ""
	}
	return "spending-" + stage.String(), k.sentence(stage, caps)
}

func (k *Keeper) sentence(stage protocol.Spending, caps economy.Caps) string {
	until := k.cycle.End().Format("2006-01-02 15:04 MST")
	spent := k.spent()
	switch stage {
	case protocol.SpendingSaving:
		return fmt.Sprintf("%d bytes are spent, the soft cap is %d: until %s contact is less frequent, and output waits.", spent, caps.Soft, until)
	case protocol.SpendingLast:
		return fmt.Sprintf("%d bytes are spent, and the hard cap of %d is near: until %s only results and urgent work are sent, with a ping every so often.", spent, caps.Hard, until)
	case protocol.SpendingSilent:
		how := "nothing is sent"
		if k.rules.Budget != nil && k.rules.Budget.DailyPing {
			how = "nothing is sent but one ping a day"
		}
		return fmt.Sprintf("%d bytes are spent, and the hard cap of %d is met: until %s %s, unless an operator adds to the cap.", spent, caps.Hard, until, how)
	}
	return fmt.Sprintf("The budget is free again: %d bytes are spent in the cycle that ends on %s.", spent, until)
}

// announce queues an event for the hub.
func (k *Keeper) announce(kind, text string) {
	if err := k.cfg.Store.PutEvent(kind, text); err != nil {
		k.cfg.Log.Error("an event of spending could not be kept: "+text, "error", err)
	}
}
