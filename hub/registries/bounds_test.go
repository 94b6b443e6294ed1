package registries

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// A registry of the plant may send to the plant's token service; one on the internet may not.
func TestARegistryOnTheInternetLeadsToNoPrivateNetwork(t *testing.T) {
	b := &bounds{reaches: reaches}
	plant, internet := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("140.82.112.3")
	if err := b.check(plant); err != nil {
		t.Errorf("a registry in the book: %v", err)
	}
	b.met(net.TCPAddrFromAddrPort(netip.AddrPortFrom(plant, 443)))
	if err := b.check(plant); err != nil {
		t.Errorf("from one private address to another: %v", err)
	}
	if err := b.check(netip.MustParseAddr("127.0.0.1")); !errors.Is(err, errLocal) {
		t.Errorf("to the hub's own machine: %v", err)
	}
	b.met(net.TCPAddrFromAddrPort(netip.AddrPortFrom(internet, 443)))
	if err := b.check(plant); !errors.Is(err, errPrivate) {
		t.Errorf("from the internet to a private address: %v", err)
	}
	if err := b.check(internet); err != nil {
		t.Errorf("from the internet to the internet: %v", err)
	}
}

// Who asks a great deal of slow registries keeps nobody else from asking.
func TestNobodyTakesAllTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		stop := make(chan struct{})
		for range 3 * readsAtOnce {
			go func() {
				if done, err := turns.take(t.Context(), "eve"); err == nil {
					<-stop
					done()
				}
			}()
		}
		synctest.Wait()
		began := time.Now()
		done, err := turns.take(t.Context(), "ada")
		if err != nil || time.Since(began) != 0 {
			t.Fatalf("another waits for %v: %v", time.Since(began), err)
		}
		if n := len(turns.all); n != readsOfOne+1 {
			t.Errorf("%d are under way, want %d of one and one of another", n, readsOfOne)
		}
		done()
		close(stop)
		synctest.Wait()
		if len(turns.of) != 0 || len(turns.all) != 0 {
			t.Errorf("what is over leaves %d callers and %d turns", len(turns.of), len(turns.all))
		}
	})
}

// What registries say that nobody asks for again does not fill the hub.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	var r reads
	now := time.Now()
	for i := range 2 * maxReads {
		n := 0
		if i%4 == 0 {
			n = 512
		}
		k := readKey{image: fmt.Sprint(i)}
		r.put(k, read{image: Image{Layers: make([]Layer, n)}}, now.Add(time.Minute))
		if _, ok := r.get(k, now); !ok {
			t.Fatal("what was just read is forgotten")
		}
		if len(r.found) > maxReads || r.layers > maxReadLayers {
			t.Fatalf("%d images with %d layers are remembered", len(r.found), r.layers)
		}
	}
	layers := 0
	for _, x := range r.found {
		layers += len(x.image.Layers)
	}
	if layers != r.layers {
		t.Errorf("%d layers are remembered, counted as %d", layers, r.layers)
	}
}
