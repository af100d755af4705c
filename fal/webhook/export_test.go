package webhook

// Keep has a handler keep an event that nobody waits for, and tells how many it
// keeps and how long their payloads are together.
func Keep(h *Handler, e *Event) (events, bytes int) {
	h.waits.deliver(e, true)
	return len(h.waits.order), h.waits.bytes
}
