package proxy

// Remember has a handler know a job as one of a user's.
func Remember(h *Handler, id, user string) { h.jobs.add(id, user) }

// Knows reports whether a user's job is one that another may not ask about.
func Knows(h *Handler, id string) bool { return !h.jobs.may(id, "\x00") }

// Follows sets how many jobs a handler is following, and tells how many it was.
func Follows(h *Handler, n int) (before int) {
	h.jobs.mu.Lock()
	defer h.jobs.mu.Unlock()
	before, h.jobs.followers = h.jobs.followers, n
	return before
}
