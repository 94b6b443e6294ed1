package fleet

import "time"

// Waiting is how many changes wait to be made durable.
func (r *Registry) Waiting() int {
	r.queueMu.Lock()
	defer r.queueMu.Unlock()
	return len(r.queue)
}

// WatchTables looks at the ends of tables of passes, as Run does each minute.
func (r *Registry) WatchTables(now time.Time) { r.watchTables(now) }
