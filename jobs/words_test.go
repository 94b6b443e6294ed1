package jobs_test

import (
	"testing"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		s    protocol.JobSchedule
		zone string
		want string
	}{
		{protocol.JobSchedule{Cron: "0 2 * * *", Jitter: 600}, "Europe/Oslo", "every day at 02:00, Europe/Oslo, each device up to 10 min later"},
		{protocol.JobSchedule{Cron: "0 2 * * *", Zone: "Europe/Oslo"}, "", "every day at 02:00, Europe/Oslo"},
		{protocol.JobSchedule{Cron: "*/15 * * * *"}, "Europe/Oslo", "every 15 minutes"},
		{protocol.JobSchedule{Cron: "*/7 * * * *"}, "Europe/Oslo", "by cron */7 * * * *"}, // not every 7 minutes: it begins anew each hour
		{protocol.JobSchedule{Cron: "* * * * *"}, "UTC", "every minute"},
		{protocol.JobSchedule{Cron: "0 * * * *"}, "UTC", "every hour"},
		{protocol.JobSchedule{Cron: "5 * * * *"}, "UTC", "every hour at 05 minutes past"},
		{protocol.JobSchedule{Cron: "30 6 * * 1-5"}, "UTC", "on weekdays at 06:30, UTC"},
		{protocol.JobSchedule{Cron: "30 6,18 * * mon,fri"}, "UTC", "on Monday and Friday at 06:30 and 18:30, UTC"},
		{protocol.JobSchedule{Cron: "0 4 * * 7"}, "UTC", "every Sunday at 04:00, UTC"},
		{protocol.JobSchedule{Cron: "0 4 * * sat,sun"}, "UTC", "on Saturday and Sunday at 04:00, UTC"},
		{protocol.JobSchedule{Cron: "0 */6 * * *"}, "UTC", "every 6 hours, UTC"},
		{protocol.JobSchedule{Cron: "0 0 1 * *"}, "UTC", "on day 1 of each month at 00:00, UTC"},
		{protocol.JobSchedule{Cron: "0 0 1 * 5"}, "UTC", "by cron 0 0 1 * 5, UTC"},
		{protocol.JobSchedule{Cron: "@hourly"}, "UTC", "every hour"},
		{protocol.JobSchedule{Cron: "@weekly"}, "each device's own time", "every Sunday at 00:00, each device's own time"},
		{protocol.JobSchedule{At: 1796090400, End: 1796176800}, "UTC", "once, on 1 Dec 2026 at 02:00 UTC, until 2 Dec 2026 at 02:00 UTC"},
		{protocol.JobSchedule{}, "", "only when somebody asks for it"},
	} {
		if got := jobs.Words(c.s, c.zone); got != c.want {
			t.Errorf("%+v: %q, want %q", c.s, got, c.want)
		}
	}
}
