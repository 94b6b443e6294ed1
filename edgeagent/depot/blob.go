package depot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/farshore/farshore/internal/durable"
)

// fileOf is what a blob's file is called.
func fileOf(digest string) string { return strings.Replace(digest, ":", "-", 1) }

func (d *Depot) blobPath(digest string) string {
	return filepath.Join(d.cfg.Dir, blobsDir, fileOf(digest))
}

func (d *Depot) has(digest string) bool {
	_, err := os.Stat(d.blobPath(digest))
	return err == nil
}

// digestOf is the name of content.
func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// part is the beginning of a blob, on disk. What was synced is noted beside it, so that a power cut, which may leave
// anything behind that, costs no more than one step.
type part struct {
	want    descriptor
	path    string // of the whole blob
	file    *os.File
	offset  int64 // up to here it is written
	sure    int64 // up to here it is noted
	step    int64 // how much is written between two notes
	found   int64 // so much there was when it was opened, sure or not
	stopped error // why nothing more can be written
}

// stepOf is how much of a blob an interruption may cost: ten of them together half a hundredth of it.
func stepOf(size int64) int64 { return max(size/2000, 16<<10) }

func (d *Depot) openPart(want descriptor) (*part, error) {
	p := &part{want: want, path: d.blobPath(want.Digest), step: stepOf(want.Size)}
	var err error
	if p.file, err = os.OpenFile(p.path+".part", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	info, err := p.file.Stat()
	if err == nil {
		noted, _ := os.ReadFile(p.path + ".at") // none: from the start
		at, _ := strconv.ParseInt(strings.TrimSpace(string(noted)), 10, 64)
		if at < 0 || at > want.Size || at > info.Size() {
			at = 0
		}
		p.offset, p.sure, p.found = at, at, info.Size()
		err = p.file.Truncate(at)
	}
	if err == nil {
		_, err = p.file.Seek(p.offset, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, p.file.Close())
	}
	return p, nil
}

// partSize is how much of a blob is on the disk.
func (d *Depot) partSize(want descriptor) int64 {
	info, err := os.Stat(d.blobPath(want.Digest) + ".part")
	if err != nil {
		return 0
	}
	return min(info.Size(), want.Size)
}

// Write implements io.Writer.
func (p *part) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.offset += int64(n)
	if err == nil && p.offset-p.sure >= p.step {
		err = p.note()
	}
	p.stopped = err
	return n, err
}

// note makes what was written sure. Where the note itself is lost, an earlier one holds.
func (p *part) note() error {
	if p.sure == p.offset {
		return nil
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	at, err := os.OpenFile(p.path+".at", os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(at, "%-20d", p.offset) // always as long, so that it is replaced as a whole
	err = errors.Join(err, at.Sync(), at.Close())
	if err == nil && p.sure == 0 {
		err = durable.Sync(filepath.Dir(p.path)) // the names of both
	}
	if err == nil {
		p.sure = p.offset
	}
	return err
}

func (p *part) close() error { return errors.Join(p.note(), p.file.Close()) }

// finish turns the part into the blob, if it is what its digest says; else nothing is left of it.
func (p *part) finish() error {
	sum := sha256.New()
	_, err := p.file.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(sum, p.file)
	}
	if err == nil {
		err = p.file.Sync()
	}
	if err != nil {
		return err
	}
	p.sure = p.offset // nothing is to be noted any more
	if "sha256:"+hex.EncodeToString(sum.Sum(nil)) != p.want.Digest {
		return errors.Join(errWrong, os.Remove(p.path+".part"), remove(p.path+".at"))
	}
	if err := os.Rename(p.path+".part", p.path); err != nil {
		return err
	}
	return errors.Join(remove(p.path+".at"), durable.Sync(filepath.Dir(p.path)))
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

var (
	errWrong = errors.New("what the registry sent is not what its digest says")
	errOther = errors.New("the registry sent another part than was asked for")
)

// stream is an answer that is read slice by slice: a part that was asked for, or all of the blob where the registry
// knows no parts.
type stream struct {
	src   *source
	blob  descriptor
	body  *watched // nil: none is open
	at    int64    // of body
	end   int64    // of body
	plain bool     // the registry is asked for no parts
	near  *url.URL // where the registry sends to, for as long as that holds
	bill  bill
}

// open asks for what begins at offset.
func (s *stream) open(ctx context.Context, offset, n int64) error {
	watched, body := watch(ctx)
	header := http.Header{"Accept": {"*/*"}}
	s.end = s.blob.Size
	if !s.plain {
		s.end = min(offset+n, s.blob.Size)
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, s.end-1))
	}
	home := s.src.at("blobs", s.blob.Digest)
	from := s.near
	if from == nil {
		from = home
	}
	resp, got, err := s.src.get(s.bill.with(watched), from, header)
	if err != nil {
		_ = body.Close()
		switch status := statusOf(err); {
		case s.near != nil && status >= 400 && status < 500: // the address has expired
			s.near = nil
			return s.open(ctx, offset, n)
		case status == http.StatusRequestedRangeNotSatisfiable && !s.plain:
			s.plain = true
			return s.open(ctx, offset, n)
		}
		return err
	}
	s.near = nil
	if got.Host != home.Host {
		s.near = got
	}
	body.ReadCloser = resp.Body
	s.body, s.at = body, offset
	if resp.StatusCode == http.StatusOK {
		s.plain, s.at, s.end = true, 0, s.blob.Size
		return nil
	}
	want := fmt.Sprintf("bytes %d-%d/", offset, s.end-1)
	if !strings.HasPrefix(resp.Header.Get("Content-Range"), want) {
		s.close()
		if s.plain {
			return errOther
		}
		s.plain = true // once more, for all of it
		return errOther
	}
	return nil
}

// copy appends up to n bytes to the part.
func (s *stream) copy(ctx context.Context, p *part, n int64) error {
	if s.body != nil && (s.at > p.offset || s.at >= s.end) {
		s.close()
	}
	if s.body == nil {
		if err := s.open(ctx, p.offset, n); err != nil {
			return err
		}
	}
	if skip := min(p.offset-s.at, n); skip > 0 { // what the registry sends anyway, and is there already
		got, err := io.CopyN(io.Discard, s.body, skip)
		s.at += got
		s.bill.content += got
		if err != nil || s.at < p.offset {
			return s.ended(err)
		}
		n -= skip
	}
	got, err := io.CopyN(p, s.body, min(n, s.end-s.at))
	s.at += got
	s.bill.content += got
	if p.stopped != nil {
		return p.stopped
	}
	return s.ended(err)
}

// ended closes the answer where it has ended, and says whether it did too early.
func (s *stream) ended(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		s.close()
	} else if s.at >= s.end && s.body != nil {
		_, _ = s.body.Read(make([]byte, 1)) // its end, so that the connection can be used again
		s.close()
	}
	return err
}

func (s *stream) close() {
	if s.body != nil {
		_ = s.body.Close()
		s.body = nil
	}
}

// cost is what so many bytes of content are on the wire at most, about: headers of segments, their acknowledgements,
// and the request.
func cost(n int64) uint64 { return uint64(n + n/16 + 4<<10) }

// blob gets a blob into the depot. told is of each slice.
func (d *Depot) blob(ctx context.Context, src *source, want descriptor, told func(step)) error {
	leave, err := d.only(ctx, want.Digest)
	if err != nil {
		return err
	}
	defer leave()
	if d.has(want.Digest) {
		told(step{moved: want.Size, at: want.Size})
		return nil
	}
	p, err := d.openPart(want)
	if err != nil {
		return err
	}
	told(step{moved: p.offset, at: p.offset, found: p.found})
	s := &stream{src: src, blob: want}
	err = d.persist(ctx, func() (moved bool, err error) {
		var leave func()
		defer func() {
			if leave != nil {
				leave()
			}
		}()
		for p.offset < want.Size {
			if leave != nil && !d.lanes.stay(src.order.rank()) {
				leave()
				leave = nil
			}
			if leave == nil {
				if leave, err = d.lanes.enter(ctx, src.order.rank()); err != nil {
					return moved, errors.Join(err, p.note())
				}
			}
			before := p.offset
			err := d.slice(ctx, s, p)
			told(step{Cost: s.bill.take(), moved: p.offset - before, at: p.offset})
			src.order.ended(err)
			moved = moved || p.offset > before
			if err != nil {
				return moved, errors.Join(err, p.note())
			}
		}
		return true, nil
	})
	s.close()
	if err == nil {
		err = p.finish()
	}
	return errors.Join(err, p.close())
}

// slice gets the next bytes of a blob, when they may be spent.
func (d *Depot) slice(ctx context.Context, s *stream, p *part) error {
	// Others fill the disk too while days pass between two slices.
	if err := d.room(min(d.cfg.Slice(), p.want.Size-p.offset)); err != nil {
		return err
	}
	d.stands(s.src.of, func(n *now) { n.waits++ })
	n, err := d.grant(ctx, min(max(d.cfg.Slice(), least), p.want.Size-p.offset), least, s.src.http.CloseIdleConnections)
	d.stands(s.src.of, func(n *now) { n.waits-- })
	if err != nil {
		return err
	}
	began, before := time.Now(), p.offset
	err = s.copy(ctx, p, n)
	if err == nil {
		d.came(p.offset-before, time.Since(began))
	}
	return err
}
