package fleet

// Waiting is how many changes wait to be made durable.
func (r *Registry) Waiting() int {
	r.queueMu.Lock()
	defer r.queueMu.Unlock()
	return len(r.queue)
}
