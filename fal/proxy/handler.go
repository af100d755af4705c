package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
)

const (
	// maxBody limits what a page sends. Large files are uploaded instead.
	maxBody = 16 << 20
	// maxAnswer limits the answers to submits: they are looked into.
	maxAnswer = 1 << 20
	// submitTime is how long a submit may take, whoever leaves meanwhile.
	submitTime = time.Minute
	// tokenTime is for how many seconds a token may be asked for.
	tokenTime = 120
)

// Handler is an [http.Handler] that passes requests of web pages on to fal. It
// may be used by many goroutines at once; its fields must not be changed after
// its first use, and it must not be copied.
//
// What it refuses itself is answered with 400 or 403 if it is not among what may
// be called, 401 if User does not know who calls, 402 if the budget is spent, 413
// if it is too long, 422 if Decode finds it wrong, in fal's form, and 502 or 503
// if fal does not accept the key or cannot be reached. All else is fal's answer.
//
// A page of another origin cannot call it, since browsers ask first for the
// header that says what is called, unless one's own server allows that.
type Handler struct {
	// Client has the key, and the Guard if there is a budget. It is required.
	Client *fal.Client

	// Endpoints are the ids that may be called, and whose jobs may be asked
	// about. Without any, none may.
	Endpoints []string

	// User says who calls, by what the request has of a session. An error
	// refuses, and so does nil: see [Anyone]. The name becomes the tag "user" of
	// what is reserved at the client's Guard, so that a limit can be one for each
	// user, and jobs that came through this handler are their user's alone.
	User func(r *http.Request) (user string, err error)

	// Decode reads the body of a call: flux.Decode, qwen.Decode, or a function
	// that chooses. What it refuses is not sent, and what it returns is sent in
	// place of the body, so that what was checked and priced is what is paid.
	// Nil checks nothing; a Guard then knows no price.
	Decode func(endpoint string, body []byte) (request any, err error)

	// Uploads lets pages upload files, which go past this server.
	Uploads bool

	// Tokens lets pages ask for temporary tokens for Endpoints, for realtime and
	// for streams. With a token a page calls fal past this server, and past any
	// Guard: where the client has one, no token is given.
	Tokens bool

	// Logger gets a record of each request that is refused, without its body;
	// nil means [slog.Default].
	Logger *slog.Logger

	jobs jobs
}

// Anyone is a [Handler.User] that knows no users and refuses nobody.
func Anyone(*http.Request) (string, error) { return "", nil }

// ServeHTTP passes a request on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e := h.serve(w, r); e != nil {
		logger := h.Logger
		if logger == nil {
			logger = slog.Default()
		}
		attrs := []slog.Attr{slog.Int("status", e.status), slog.String("reason", e.text)}
		if e.err != nil {
			attrs = append(attrs, slog.String("error", e.err.Error()))
		}
		logger.LogAttrs(r.Context(), slog.LevelWarn, "fal proxy refused", attrs...)
		e.write(w)
	}
}

// serve answers, or returns what is to be answered in place of fal.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) *refusal {
	if h.Client == nil {
		return refuse(http.StatusInternalServerError, "the proxy has no client", nil)
	}
	if h.User == nil {
		return refuse(http.StatusUnauthorized, "nobody may call this proxy", nil)
	}
	user, err := h.User(r)
	if err != nil {
		return refuse(http.StatusUnauthorized, "not allowed", err)
	}
	t, ok := h.find(r)
	if !ok {
		return refuse(http.StatusForbidden, "this cannot be called through this proxy", nil)
	}
	if t.kind == job && !h.jobs.may(t.id, user) {
		return refuse(http.StatusNotFound, "no such request", nil)
	}
	var body []byte
	if r.Method == http.MethodPost {
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			return refuse(http.StatusRequestEntityTooLarge, "the body is too long or was cut off", err)
		}
		if !json.Valid(body) {
			return refuse(http.StatusBadRequest, "the body is not JSON", nil)
		}
	}
	c := call{h: h, target: t, user: user, body: body, reservation: noReservation{}}
	switch t.kind {
	case submit, direct:
		if e := c.prepare(r.Context()); e != nil {
			return e
		}
	case tokenize:
		if e := h.checkToken(body); e != nil {
			return e
		}
	case job, upload:
	}
	return c.forward(w, r)
}

// checkToken refuses tokens that reach further than the proxy does.
func (h *Handler) checkToken(body []byte) *refusal {
	if h.Client.Guard != nil {
		return refuse(http.StatusForbidden, "there are no tokens where there is a budget", nil)
	}
	var ask struct {
		Apps       []string `json:"allowed_apps"`
		App        *string  `json:"app"`
		Expiration float64  `json:"token_expiration"`
		Duration   float64  `json:"duration"`
	}
	if err := json.Unmarshal(body, &ask); err != nil {
		return refuse(http.StatusBadRequest, "the body does not ask for a token", err)
	}
	if ask.App != nil {
		ask.Apps = append(ask.Apps, *ask.App)
	}
	if len(ask.Apps) == 0 || max(ask.Expiration, ask.Duration) > tokenTime {
		return refuse(http.StatusForbidden, "a token is for some apps and for 120 seconds at most", nil)
	}
	for _, app := range ask.Apps {
		if !slices.ContainsFunc(h.Endpoints, func(e string) bool { return app == e || app == aliasOf(e) }) {
			return refuse(http.StatusForbidden, "there is no token for this app", nil)
		}
	}
	return nil
}

// call is a request while it is passed on.
type call struct {
	h           *Handler
	target      target
	user        string
	body        []byte
	reservation fal.Reservation // never nil
}

// prepare checks a request that will cost money, and asks the guard.
func (c *call) prepare(ctx context.Context) *refusal {
	usage := fal.Usage{}
	if c.h.Decode != nil {
		request, err := c.h.Decode(c.target.endpoint, c.body)
		if invalid, ok := errors.AsType[*fal.ValidationError](err); ok {
			return unfit(invalid)
		}
		if err == nil {
			c.body, err = json.Marshal(request)
		}
		if err != nil {
			return refuse(http.StatusForbidden, "this endpoint cannot be called through this proxy", err)
		}
		if r, ok := request.(interface{ Usage() fal.Usage }); ok {
			usage = r.Usage()
		}
	}
	usage.Endpoint = c.target.endpoint
	guard := c.h.Client.Guard
	if guard == nil {
		return nil
	}
	reservation, err := guard.Reserve(ctx, usage, map[string]string{"user": c.user})
	if err != nil {
		return refuse(http.StatusPaymentRequired, "the budget does not allow this request", err)
	}
	if reservation != nil {
		c.reservation = reservation
	}
	return nil
}

type noReservation struct{}

func (noReservation) Accepted(string)  {}
func (noReservation) Settled(fal.Meta) {}
func (noReservation) Released(error)   {}

// passed are the headers of a request that are passed on. What is stored, for
// whom, under which tags and by which runner is not for pages to say.
var passed = []string{
	"Accept", "Content-Type", "X-App-Fal-Disable-Fallback", "X-Fal-No-Retry", "X-Fal-Queue-Priority",
	"X-Fal-Request-Start-Timeout", "X-Fal-Request-Timeout",
	"X-Fal-Object-Lifecycle", "X-Fal-Object-Lifecycle-Preference", "X-Fal-Store-Io", "X-Fal-Runner-Hint",
}

// forward sends the request, and passes on what comes back.
func (c *call) forward(w http.ResponseWriter, r *http.Request) *refusal {
	ctx := r.Context()
	if c.target.kind == submit {
		// What is accepted is to be known, though the page has left.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), submitTime)
		defer cancel()
	}
	out := (&http.Request{Method: r.Method, URL: c.target.url, Header: make(http.Header)})
	for _, name := range passed {
		if values := r.Header[name]; len(values) > 0 {
			out.Header[name] = values[:1]
		}
	}
	if c.body != nil {
		out.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.h.Client.Forward(ctx, out, c.body)
	if err != nil {
		if fal.NotSent(err) {
			c.reservation.Released(err)
		}
		return refuse(http.StatusServiceUnavailable, "fal could not be reached", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		err := errors.New("fal: " + strings.ToValidUTF8(string(text), ""))
		if r.Method == http.MethodPost {
			c.reservation.Released(err)
		}
		// It is about the key: the user can do nothing about it, and need not
		// know why.
		return refuse(http.StatusBadGateway, "fal refused the request of the proxy", err)
	}
	if c.target.kind == submit {
		return c.passSubmit(w, resp)
	}
	pass(w, resp, resp.Body)
	if c.target.kind == direct {
		c.settle(resp)
	}
	return nil
}

// passSubmit passes on the answer to a submit, and notes whose job it is.
func (c *call) passSubmit(w http.ResponseWriter, resp *http.Response) *refusal {
	body, err := io.ReadAll(http.MaxBytesReader(w, resp.Body, maxAnswer))
	if err != nil {
		return refuse(http.StatusBadGateway, "the answer of fal is too long or was cut off", err) // what is reserved stays so
	}
	var accepted struct {
		RequestID string `json:"request_id"`
	}
	switch {
	case resp.StatusCode >= 300:
		c.settle(resp)
	case json.Unmarshal(body, &accepted) == nil && accepted.RequestID != "":
		c.reservation.Accepted(accepted.RequestID)
		c.h.jobs.add(accepted.RequestID, c.user)
		c.h.jobs.follow(c.h.Client, c.target.endpoint, accepted.RequestID, c.reservation)
	}
	pass(w, resp, strings.NewReader(string(body)))
	return nil
}

// settle tells the guard how a request ended that fal has answered at once. What
// is not known stays reserved.
func (c *call) settle(resp *http.Response) {
	units := resp.Header.Get("X-Fal-Billable-Units")
	billed := strings.Trim(units, "0.") != ""
	falsWord := resp.Header.Get("X-Fal-Error-Type") != ""
	switch {
	case resp.StatusCode < 300 || billed:
		c.reservation.Settled(fal.Meta{Endpoint: c.target.endpoint, RequestID: resp.Header.Get("X-Fal-Request-Id"), BillableUnits: units})
	case units != "", resp.StatusCode >= 500 && falsWord, resp.StatusCode < 500 && c.target.kind == submit,
		resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusTooManyRequests:
		c.reservation.Released(errors.New("fal answered with status " + resp.Status))
	}
}

// pass passes on an answer, piece by piece as it comes.
func pass(w http.ResponseWriter, resp *http.Response, body io.Reader) {
	header := w.Header()
	for name, values := range resp.Header {
		if strings.HasPrefix(name, "X-Fal-") || name == "Retry-After" || name == "Cache-Control" {
			header[name] = values
		}
	}
	// Nothing that comes from elsewhere is a page of this site.
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "sandbox")
	contentType := resp.Header.Get("Content-Type")
	if media, _, _ := strings.Cut(contentType, ";"); media != "application/json" && media != "text/event-stream" {
		contentType = "text/plain; charset=utf-8"
	}
	header.Set("Content-Type", contentType)
	w.WriteHeader(resp.StatusCode)
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // a stream may take longer than the server allows
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if _, failed := w.Write(buf[:n]); err != nil || failed != nil {
			if err != nil && !errors.Is(err, io.EOF) {
				panic(http.ErrAbortHandler) // the page must not take it for the whole
			}
			return
		}
		_ = control.Flush() // where the server can
	}
}

// jobs are those that came through a handler, as many as are remembered.
type jobs struct {
	mu        sync.Mutex
	users     map[string]string // by request id
	order     []string
	followers int
}

const (
	jobsMost      = 100_000
	followersMost = 10_000
	// followTime is how long a job is followed that is not heard of any more.
	followTime = 2 * time.Hour
)

func (j *jobs) add(id, user string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.users == nil {
		j.users = make(map[string]string)
	}
	j.users[id] = user
	if j.order = append(j.order, id); len(j.order) > jobsMost {
		delete(j.users, j.order[0])
		j.order = j.order[1:]
	}
}

// may reports whether a user may ask about a job. One that is not known was
// submitted before this process began, or by another: who knows its id may.
func (j *jobs) may(id, user string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	owner, known := j.users[id]
	return !known || owner == user
}

// receipt is a result of which only the bill is read.
type receipt struct {
	fal.Meta `json:"-"`
}

// follow waits until a job is done and tells the guard what was billed, whether
// or not the page asks for the result. Beyond what can be followed, what is
// reserved stays so.
func (j *jobs) follow(c *fal.Client, endpoint, id string, reservation fal.Reservation) {
	if _, none := reservation.(noReservation); none {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.followers >= followersMost {
		return
	}
	j.followers++
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), followTime)
		defer cancel()
		out, err := fal.Resume(c, fal.Endpoint[receipt](endpoint), id).Wait(ctx)
		e, refused := errors.AsType[*fal.Error](err)
		switch {
		case err == nil:
			reservation.Settled(out.Meta)
		case refused && e.Billing == fal.NotBilled:
			reservation.Released(err)
		case refused && e.Billing == fal.Billed:
			reservation.Settled(fal.Meta{Endpoint: endpoint, RequestID: id, BillableUnits: e.BillableUnits})
		}
		j.mu.Lock()
		j.followers--
		j.mu.Unlock()
	}()
}
