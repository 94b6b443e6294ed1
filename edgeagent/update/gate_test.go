package update

import (
	"testing"
	"testing/synctest"
)

// What is inside when the gate closes is waited for, and nobody comes in any more.
func TestNobodyEntersAClosedGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gate{}
		leave, ok := g.TryEnter()
		if !ok {
			t.Fatal("the zero gate is closed")
		}
		shut := make(chan struct{})
		go func() { g.close(t.Context()); close(shut) }()
		synctest.Wait()
		select {
		case <-shut:
			t.Error("who is inside is not waited for")
		default:
		}
		if _, ok := g.TryEnter(); ok {
			t.Error("a closed gate lets somebody in")
		}
		leave()
		<-shut
	})
}
