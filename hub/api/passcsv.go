package api

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// passesHead is the first line of a table of passes.
const passesHead = "start,end,bytes"

// passesFromCSV reads a table of passes. Errors name the line, and what to write there.
func passesFromCSV(text []byte) ([]resource.Pass, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true
	head, err := r.Read()
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(head[i]))
	}
	if err != nil || !slices.Equal(head, strings.Split(passesHead, ",")) && !slices.Equal(head, strings.Split(passesHead, ",")[:2]) {
		return nil, fmt.Errorf("%w: line 1: want the head %s (bytes may be left out)%s", errInvalid, passesHead, separated(head))
	}
	var out []resource.Pass
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			return nil, fmt.Errorf("%w: line %d: it is not CSV: %v: leave quotation marks out", errInvalid, wrong.Line, wrong.Err)
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		p, err := passFromFields(fields)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", errInvalid, line, err)
		}
		if out = append(out, p); len(out) > protocol.MaxPasses {
			return nil, fmt.Errorf("%w: line %d: more than %d passes: give those of the next weeks, and the later ones when these are over", errInvalid, line, protocol.MaxPasses)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: there is no pass below the head: give one on each line, or remove the table", errInvalid)
	}
	return out, nil
}

func passFromFields(fields []string) (p resource.Pass, err error) {
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	if len(fields) < 2 || len(fields) > 3 {
		return p, fmt.Errorf("%d fields: want %s%s", len(fields), passesHead, separated(fields))
	}
	if p.Start, err = passTime("start", fields[0]); err != nil {
		return p, err
	}
	end, err := passTime("end", fields[1])
	if err != nil {
		return p, err
	}
	seconds := end.Unix() - p.Start.Unix()
	switch {
	case seconds <= 0:
		return p, fmt.Errorf("it ends at %s, before or when it begins: want start before end", fields[1])
	case seconds > int64(time.Hour/time.Second)*24*7:
		return p, fmt.Errorf("it lasts %d s: want at most 7 days", seconds)
	}
	p.Seconds = uint32(seconds)
	if len(fields) == 3 && fields[2] != "" {
		if p.Bytes, err = strconv.ParseUint(fields[2], 10, 63); err != nil {
			return p, fmt.Errorf("bytes %.40q: want a whole number such as 2000000, or nothing", fields[2])
		}
	}
	return p, nil
}

// separated names what a spreadsheet has put between fields instead of a comma; of other faults it says nothing.
func separated(fields []string) string {
	if len(fields) != 1 {
		return ""
	}
	for mark, name := range map[string]string{";": `";"`, "\t": "a tab"} {
		if strings.Contains(fields[0], mark) {
			return fmt.Sprintf("; here the separator is %s: save the table with commas", name)
		}
	}
	return ""
}

func passTime(which, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %.40q: want a time with its zone, such as 2026-11-22T14:00:00Z", which, text)
}
