package engine

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/protocol"
)

// ContainerLogs returns the last tail lines that a container wrote to its outputs, in the order written; 0: all. Of
// more than limit bytes (0: protocol.MaxOutput) the last are returned, and dropped is how many were cut from the front.
func (e *Engine) ContainerLogs(ctx context.Context, target string, tail, limit int) (out []byte, dropped uint64, err error) {
	if limit <= 0 {
		limit = protocol.MaxOutput
	}
	err = e.act("read logs of", aContainer, target, func(api *client.Client) error {
		about, err := api.ContainerInspect(ctx, target)
		if err != nil {
			return err
		}
		lines := "all"
		if tail > 0 {
			lines = strconv.Itoa(tail)
		}
		stream, err := api.ContainerLogs(ctx, target, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: lines})
		if err != nil {
			return err
		}
		defer stream.Close()
		end := &tailWriter{limit: limit}
		if about.Config != nil && about.Config.Tty {
			_, err = io.Copy(end, stream)
		} else {
			err = demultiplex(end, stream)
		}
		out, dropped = end.result()
		return err
	})
	return out, dropped, err
}

// demultiplex joins the two outputs of a container in their order. The engine puts 8 bytes before each piece: which
// output, three zeros, and the length, big-endian (Docker Engine API, "Attach to a container", stream format).
func demultiplex(w io.Writer, r io.Reader) error {
	buffered := bufio.NewReaderSize(r, 16<<10)
	var head [8]byte
	for {
		_, err := io.ReadFull(buffered, head[:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := io.CopyN(w, buffered, int64(binary.BigEndian.Uint32(head[4:]))); err != nil {
			return err
		}
	}
}

// tailWriter keeps the last limit bytes of what is written to it, in at most twice the memory.
type tailWriter struct {
	limit   int
	kept    []byte
	dropped uint64
}

func (t *tailWriter) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*t.limit {
		t.cut()
	}
	return len(p), nil
}

func (t *tailWriter) cut() {
	if over := len(t.kept) - t.limit; over > 0 {
		t.dropped += uint64(over)
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
}

func (t *tailWriter) result() ([]byte, uint64) {
	t.cut()
	return t.kept, t.dropped
}
