package audit

import "time"

// DropOld removes what is past its time at another time.
func (l *Log) DropOld(now time.Time) error { return l.dropOld(now) }
