package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falimage/falimage-go/fal"
)

const (
	// maxBody limits the body of one call, and maxBodies those of all that are
	// being read at a time.
	maxBody, maxBodies = 64 << 20, 256 << 20
	// answerTime is how long Handle is waited for before the call is answered,
	// bodyTime how long for its body. Fal waits 15 seconds for the answer.
	answerTime, bodyTime = 8 * time.Second, 5 * time.Second
	// lease is how long Handle may take.
	lease = 5 * time.Minute
)

// Handler is an [http.Handler] for the address that is given to
// fal.WithWebhook. It may be used by many goroutines at once; its fields must not
// be changed after its first use, and it must not be copied.
//
// It answers with status 200 what is handled, or was before; 500 if Handle
// failed and 503 if it is still at it, if as much as is read at a time is being
// read, or if fal's keys or the store cannot be reached: fal then calls again,
// for two hours. What is not fal's gets 401, 403, 405 or 413, and nothing else
// is done about it.
type Handler struct {
	// Handle is called with each event, once for each request id, unless a
	// [Wait] takes it. An error has fal call again. After 8 seconds fal is
	// answered that it takes longer; Handle may go on until its context ends, 5
	// minutes after it began. It must not keep what takes longer: that belongs
	// into a queue of one's own. Nil leaves all to Wait, which gets to see an
	// event that comes before it too.
	Handle func(ctx context.Context, e *Event) error

	// Client says which fal, as in [Verifier]; nil means fal's own.
	Client *fal.Client

	// Store remembers what was handled; nil means [Memory].
	Store Store

	// Sources are the addresses that calls are taken from, such as those of
	// [Sources]; none means any. Behind a proxy of one's own all come from that
	// one: let it check, or set RemoteAddr before this handler.
	Sources []netip.Prefix

	// Logger gets a record of each call that is not taken, and of each event
	// whose Handle failed; nil means [slog.Default].
	Logger *slog.Logger

	init     sync.Once
	verifier Verifier
	store    Store
	logger   *slog.Logger
	reading  atomic.Int64 // bytes of bodies
	waits    waits
}

func (h *Handler) setUp() {
	h.init.Do(func() {
		h.verifier.Client = h.Client
		if h.store = h.Store; h.store == nil {
			h.store = Memory()
		}
		if h.logger = h.Logger; h.logger == nil {
			h.logger = slog.Default()
		}
	})
}

// ServeHTTP takes a call of fal's.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.setUp()
	e, status, err := h.receive(w, r)
	if err == nil {
		e.Query = r.URL.Query()
		status, err = h.deliver(r.Context(), e)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	if err != nil {
		attrs := []slog.Attr{slog.Int("status", status), slog.String("from", r.RemoteAddr), slog.String("error", err.Error())}
		if e != nil {
			attrs = append(attrs, slog.String("request_id", e.RequestID))
		}
		h.logger.LogAttrs(r.Context(), slog.LevelWarn, "fal webhook not taken", attrs...)
		http.Error(w, http.StatusText(status), status) // no more, to whoever it is
		return
	}
	w.WriteHeader(status)
}

// receive reads a call and verifies it.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) (e *Event, status int, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed, errors.New("webhook: the method is not POST")
	}
	if !h.allowed(r.RemoteAddr) {
		return nil, http.StatusForbidden, errors.New("webhook: the address is not one of Handler.Sources")
	}
	c, err := read(r.Header) // before the body, which anybody may send
	if err != nil {
		return nil, http.StatusUnauthorized, err
	}
	if off := time.Since(c.sent); off > maxSkew || off < -maxSkew {
		return nil, http.StatusUnauthorized, ErrTime
	}
	if r.ContentLength > maxBody {
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("webhook: a body of %d bytes", r.ContentLength)
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime)) // where the server can
	counted := &countedReader{Reader: http.MaxBytesReader(w, r.Body, maxBody), all: &h.reading}
	defer counted.free()
	body, err := io.ReadAll(counted)
	_ = control.SetReadDeadline(time.Time{})
	if err != nil {
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			return nil, http.StatusRequestEntityTooLarge, err
		}
		return nil, http.StatusServiceUnavailable, err
	}
	e, err = h.verifier.Verify(r.Context(), r.Header, body)
	switch {
	case errors.Is(err, ErrBody):
		return nil, http.StatusBadRequest, err
	case errors.Is(err, ErrSignature), errors.Is(err, ErrTime):
		return nil, http.StatusUnauthorized, err
	case err != nil:
		return nil, http.StatusServiceUnavailable, err
	}
	return e, http.StatusOK, nil
}

// allowed reports whether calls are taken from an address.
func (h *Handler) allowed(remote string) bool {
	if len(h.Sources) == 0 {
		return true
	}
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addr := from.Addr().Unmap().WithZone("")
	for _, p := range h.Sources {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// countedReader counts what is being read by all calls together.
type countedReader struct {
	io.Reader
	all  *atomic.Int64
	mine int64
}

var errBusy = errors.New("webhook: too much is being read")

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.mine += int64(n)
	if r.all.Add(int64(n)) > maxBodies {
		return n, errBusy
	}
	return n, err
}

func (r *countedReader) free() { r.all.Add(-r.mine) }

// deliver hands an event to whoever waits for it, or else to Handle.
func (h *Handler) deliver(ctx context.Context, e *Event) (status int, err error) {
	if h.waits.deliver(e, h.Handle == nil) || h.Handle == nil {
		return http.StatusOK, nil
	}
	state, err := h.store.Claim(ctx, e.RequestID, lease)
	switch {
	case err != nil:
		return http.StatusServiceUnavailable, fmt.Errorf("webhook: the store: %w", err)
	case state == Done:
		return http.StatusOK, nil
	case state != Claimed:
		return http.StatusServiceUnavailable, errors.New("webhook: the event is being handled")
	}
	ctx = context.WithoutCancel(ctx) // fal may hang up, the event is here
	handled := make(chan error)
	go func() {
		err := h.handle(ctx, e)
		if settled := h.store.Settle(ctx, e.RequestID, err == nil); settled != nil {
			err = errors.Join(err, fmt.Errorf("webhook: the store: %w", settled))
		}
		handled <- err
	}()
	select {
	case err := <-handled:
		if err != nil {
			return http.StatusInternalServerError, err
		}
		return http.StatusOK, nil
	case <-time.After(answerTime):
		go func() {
			if err := <-handled; err != nil {
				h.logger.LogAttrs(ctx, slog.LevelWarn, "fal webhook failed", slog.String("request_id", e.RequestID), slog.String("error", err.Error()))
			}
		}()
		return http.StatusServiceUnavailable, errors.New("webhook: the event is still being handled; fal will call again")
	}
}

// handle calls Handle, whose panics are errors: they would end the process.
func (h *Handler) handle(ctx context.Context, e *Event) (err error) {
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("webhook: Handle: panic: %v", p)
		}
	}()
	return h.Handle(ctx, e)
}

// Sources asks fal's platform for the addresses that its webhooks come from. The
// list changes now and then: ask once a day.
func Sources(ctx context.Context, c *fal.Client) ([]netip.Prefix, error) {
	var meta struct {
		Ranges []string `json:"webhook_ip_ranges"`
	}
	if err := c.Platform(ctx, http.MethodGet, "/v1/meta", nil, nil, &meta); err != nil {
		return nil, err
	}
	list := make([]netip.Prefix, 0, len(meta.Ranges))
	for _, text := range meta.Ranges {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("webhook: the platform's list has %.60q, which is no range of addresses", text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, errors.New("webhook: the platform lists no addresses")
	}
	return list, nil
}
