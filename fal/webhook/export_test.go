package webhook

// Keep has a handler keep an event that nobody waits for, and tells how many it
// keeps and how long their payloads are together.
func Keep(h *Handler, e *Event) (events, bytes int) {
	h.waits.deliver(e, true)
	return len(h.waits.order), h.waits.bytes
}

// Reading has a handler be reading so many bytes for other calls, and tells how
// many it was reading before.
func Reading(h *Handler, n int64) (before int64) { return h.reading.Swap(n) }
