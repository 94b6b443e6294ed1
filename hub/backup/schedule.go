package backup

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// dailyAt is a time of day.
var dailyAt = regexp.MustCompile(`^([01]?[0-9]|2[0-3]):([0-5][0-9])$`)

// parseTimes reads when to make backups: a time of day, such as 02:30, or the five fields of a crontab. The times are
// those of the hub's machine.
func parseTimes(text string) (cron.Schedule, error) {
	text = strings.TrimSpace(text)
	if m := dailyAt.FindStringSubmatch(text); m != nil {
		text = m[2] + " " + m[1] + " * * *"
	}
	s, err := cron.Schedule(nil), error(nil)
	if len(text) <= 100 && len(strings.Fields(text)) == 5 && !strings.ContainsAny(text, "=@") {
		s, err = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(text)
	}
	if s == nil || err != nil || s.Next(time.Now()).IsZero() {
		return nil, fmt.Errorf("%w: the times %.100q: want a time of day, such as 02:30, or the five fields of a crontab, such as \"30 2 * * 1-5\"", ErrInvalid, text)
	}
	return s, nil
}
