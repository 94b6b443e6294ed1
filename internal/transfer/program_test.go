package transfer

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// programs returns a program of some 10 MB, and one in which a function has grown, so that all that follows is shifted.
func programs() (old, next []byte) {
	r := rand.New(rand.NewPCG(3, 4))
	old = make([]byte, 10<<20+123)
	for i := range old {
		old[i] = byte(r.Uint32())
	}
	next = append(bytes.Clone(old[:3<<20]), make([]byte, 100<<10)...)
	return old, append(next, old[3<<20:]...)
}

func pack(t *testing.T, program, base []byte) (pieces []Piece, size int) {
	t.Helper()
	err := PackProgram(program, base, func(p Piece) error {
		pieces, size = append(pieces, p), size+len(p.Frame)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pieces, size
}

func TestProgramInPieces(t *testing.T) {
	old, next := programs()
	for name, base := range map[string][]byte{"whole": nil, "patch": old, "short base": old[:1000]} {
		pieces, size := pack(t, next, base)
		var got []byte
		for _, p := range pieces {
			b, err := UnpackPiece(p.Frame, base[p.BaseFrom:p.BaseFrom+p.BaseSize], p.Size)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, b...)
		}
		if !bytes.Equal(got, next) {
			t.Errorf("%s: the program is another", name)
		}
		if name == "patch" && size > 10<<10 {
			t.Errorf("a patch for a shifted program has %d bytes", size)
		}
	}
}

func TestPieceIsBounded(t *testing.T) {
	old, next := programs()
	pieces, _ := pack(t, next, old)
	p := pieces[1]
	base := old[p.BaseFrom : p.BaseFrom+p.BaseSize]
	if _, err := UnpackPiece(p.Frame, base, p.Size-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("gives more than it says: %v", err)
	}
	if _, err := UnpackPiece(p.Frame, base, PieceSize+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("says more than is allowed: %v", err)
	}
	if _, err := UnpackPiece(p.Frame, base[1:], p.Size); !errors.Is(err, ErrDamaged) {
		t.Errorf("another base: %v", err)
	}
	if _, err := UnpackPiece(p.Frame[:len(p.Frame)-1], base, p.Size); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut off: %v", err)
	}
	short, _ := pack(t, next[:1000], nil)
	if _, err := UnpackPiece(short[0].Frame, nil, 1001); !errors.Is(err, ErrDamaged) {
		t.Errorf("gives less than it says: %v", err)
	}
}
