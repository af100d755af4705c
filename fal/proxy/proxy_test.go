package proxy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/proxy"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// page is what a web page sees of a proxy.
type page struct {
	*testing.T
	h    proxy.Handler
	log  bytes.Buffer
	user string
}

// newPage returns a page whose proxy leads to a local fal.
func newPage(t *testing.T, srv *faltest.Server) *page {
	p := &page{T: t, user: "ann"}
	p.h = proxy.Handler{
		Client: srv.Client(), Endpoints: []string{"fal-ai/flux/schnell", "fal-ai/flux-2-pro", "fal-ai/flux-lora/stream"}, Decode: flux.Decode,
		User: func(r *http.Request) (string, error) {
			if user := r.Header.Get("X-Test-User"); user != "" {
				return user, nil
			}
			return "", errors.New("no session")
		},
		Logger: slog.New(slog.NewTextHandler(&p.log, nil)),
	}
	return p
}

// ask sends a request through the proxy.
func (p *page) ask(method, target, body string, header ...string) (status int, h http.Header, answer string) {
	p.Helper()
	r := httptest.NewRequestWithContext(p.Context(), method, "/api/fal/proxy", strings.NewReader(body))
	r.Header.Set("X-Fal-Target-Url", target)
	r.Header.Set("X-Test-User", p.user)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.h.ServeHTTP(w, r)
	return w.Code, w.Header(), w.Body.String()
}

// submit puts a job into the queue and returns its address.
func (p *page) submit(endpoint string) (address string) {
	p.Helper()
	status, _, answer := p.ask(http.MethodPost, "https://queue.fal.run/"+endpoint, `{"prompt":"a mug"}`)
	var accepted struct {
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(answer), &accepted); err != nil || status != http.StatusOK {
		p.Fatalf("%d %s %v", status, answer, err)
	}
	app := strings.Join(strings.SplitN(endpoint, "/", 3)[:2], "/")
	return "https://queue.fal.run/" + app + "/requests/" + accepted.RequestID
}

func TestJob(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	p := newPage(t, srv)
	address := p.submit("fal-ai/flux/schnell")
	for _, tt := range []struct {
		method, target, user string
		status               int
		want                 string
	}{
		{http.MethodGet, address + "/status?logs=1", "ann", 200, `"COMPLETED"`},
		{http.MethodGet, address + "/status/stream", "ann", 200, "data: {"},
		{http.MethodGet, address, "ann", 200, `"images"`},
		{http.MethodPut, address + "/cancel", "ann", 400, "ALREADY_COMPLETED"},
		{http.MethodGet, address, "bob", 404, "no such request"},
		{http.MethodPut, address + "/cancel", "bob", 404, "no such request"},
		{http.MethodGet, "https://queue.fal.run/fal-ai/flux/requests/other", "bob", 404, "NOT_FOUND"}, // fal's answer
	} {
		p.user = tt.user
		status, header, answer := p.ask(tt.method, tt.target, "")
		if status != tt.status || !strings.Contains(answer, tt.want) || header.Get("X-Content-Type-Options") != "nosniff" && status != 404 {
			t.Errorf("%s %s by %s: %d %v %s", tt.method, tt.target, tt.user, status, header, answer)
		}
	}
}

func TestDirectCallAndStream(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	p := newPage(t, srv)
	status, header, answer := p.ask(http.MethodPost, "https://fal.run/fal-ai/flux/schnell", `{"prompt":"a mug"}`)
	if status != 200 || !strings.Contains(answer, `"images"`) || header.Get("X-Fal-Request-Id") == "" || header.Get("X-Fal-Billable-Units") != "1" {
		t.Errorf("%d %v %s", status, header, answer)
	}
	status, header, answer = p.ask(http.MethodPost, "https://fal.run/fal-ai/flux-lora/stream", `{"prompt":"a mug"}`, "Accept", "text/event-stream")
	if status != 200 || strings.Count(answer, "data: ") != 4 || !strings.HasPrefix(header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("%d %v %s", status, header, answer)
	}
}

// Whatever is not opened is closed, and nothing of it reaches fal.
func TestClosed(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	const schnell, queue = "https://fal.run/fal-ai/flux/schnell", "https://queue.fal.run/fal-ai/flux/schnell"
	const body = `{"prompt":"a mug"}`
	for name, tt := range map[string]struct {
		method, target, body string
		change               func(*proxy.Handler)
		want                 int
	}{
		"http":                  {http.MethodPost, "http://fal.run/fal-ai/flux/schnell", body, nil, 403},
		"another host":          {http.MethodPost, "https://notfal.run/fal-ai/flux/schnell", body, nil, 403},
		"a host below":          {http.MethodPost, "https://x.fal.run/fal-ai/flux/schnell", body, nil, 403},
		"the backup host":       {http.MethodPost, "https://falrun.com/fal-ai/flux/schnell", body, nil, 403},
		"a port":                {http.MethodPost, "https://fal.run:8443/fal-ai/flux/schnell", body, nil, 403},
		"the usual port":        {http.MethodPost, "https://fal.run:443/fal-ai/flux/schnell", body, nil, 403},
		"a name in it":          {http.MethodPost, "https://a:b@fal.run/fal-ai/flux/schnell", body, nil, 403},
		"upper case":            {http.MethodPost, "https://FAL.RUN/fal-ai/flux/schnell", body, nil, 403},
		"a fragment":            {http.MethodPost, schnell + "#x", body, nil, 403},
		"a trailing slash":      {http.MethodPost, schnell + "/", body, nil, 403},
		"upwards":               {http.MethodPost, "https://fal.run/fal-ai/flux/schnell/../dev", body, nil, 403},
		"escaped":               {http.MethodPost, "https://fal.run/fal-ai%2Fflux/schnell", body, nil, 403},
		"a space":               {http.MethodPost, schnell + " ", body, nil, 403},
		"another endpoint":      {http.MethodPost, "https://fal.run/fal-ai/flux/dev", body, nil, 403},
		"an endpoint below":     {http.MethodPost, schnell + "/redux", body, nil, 403},
		"a webhook":             {http.MethodPost, queue + "?fal_webhook=https%3A%2F%2Fx.example", body, nil, 403},
		"a parameter twice":     {http.MethodPost, queue + "?fal_max_queue_length=1&fal_max_queue_length=2", body, nil, 403},
		"a token in the URL":    {http.MethodPost, schnell + "?fal_jwt_token=x", body, nil, 403},
		"GET of an endpoint":    {http.MethodGet, schnell, "", nil, 403},
		"DELETE":                {http.MethodDelete, queue, "", nil, 403},
		"an odd action":         {http.MethodGet, "https://queue.fal.run/fal-ai/flux/requests/1/logs", "", nil, 403},
		"cancel by POST":        {http.MethodPost, "https://queue.fal.run/fal-ai/flux/requests/1/cancel", body, nil, 403},
		"jobs of another app":   {http.MethodGet, "https://queue.fal.run/fal-ai/qwen-image/requests/1", "", nil, 403},
		"a job without an id":   {http.MethodGet, "https://queue.fal.run/fal-ai/flux/requests/", "", nil, 403},
		"upload":                {http.MethodPost, "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3", `{}`, nil, 403},
		"token":                 {http.MethodPost, "https://rest.fal.ai/tokens/", `{"allowed_apps":["flux"]}`, nil, 403},
		"the platform":          {http.MethodGet, "https://api.fal.ai/v1/account/billing", "", nil, 403},
		"keys":                  {http.MethodPost, "https://rest.fal.ai/keys", body, nil, 403},
		"no endpoints":          {http.MethodPost, schnell, body, func(h *proxy.Handler) { h.Endpoints = nil }, 403},
		"no users":              {http.MethodPost, schnell, body, func(h *proxy.Handler) { h.User = nil }, 401},
		"an unknown user":       {http.MethodPost, schnell, body, func(h *proxy.Handler) { h.User = func(*http.Request) (string, error) { return "", errors.New("x") } }, 401},
		"no client":             {http.MethodPost, schnell, body, func(h *proxy.Handler) { h.Client = nil }, 500},
		"no body":               {http.MethodPost, schnell, "", nil, 400},
		"not JSON":              {http.MethodPost, schnell, "prompt=x", nil, 400},
		"too long":              {http.MethodPost, schnell, `"` + strings.Repeat("x", 16<<20) + `"`, nil, 413},
		"a field it has not":    {http.MethodPost, schnell, `{"prompt":"x","webhook_url":"https://x.example"}`, nil, 422},
		"too many":              {http.MethodPost, schnell, `{"prompt":"x","num_images":99}`, nil, 422},
		"decodes another":       {http.MethodPost, schnell, body, func(h *proxy.Handler) { h.Decode = func(string, []byte) (any, error) { return nil, errors.New("x") } }, 403},
		"a page without target": {http.MethodPost, "", body, nil, 403},
	} {
		p := newPage(t, srv)
		if tt.change != nil {
			tt.change(&p.h)
		}
		status, _, answer := p.ask(tt.method, tt.target, tt.body)
		var said struct {
			Detail  any    `json:"detail"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(answer), &said); err != nil || status != tt.want || said.Detail == nil || said.Message == "" {
			t.Errorf("%s: %d, want %d: %s", name, status, tt.want, answer)
		}
		if !strings.Contains(p.log.String(), "fal proxy refused") || strings.Contains(p.log.String(), "a mug") {
			t.Errorf("%s: log %s", name, p.log.String())
		}
	}
	if l := srv.Ledger(); l.Posts+l.Polls+l.Results+l.Platform != 0 {
		t.Errorf("something reached fal: %+v", l)
	}
}

// What a field is refused for is said in fal's form, for the client to show.
func TestUnfitRequests(t *testing.T) {
	t.Parallel()
	p := newPage(t, faltest.NewServer(t))
	_, _, answer := p.ask(http.MethodPost, "https://fal.run/fal-ai/flux/schnell", `{"num_images":99,"image_size":{"width":-1,"height":64}}`)
	var said struct {
		Detail []struct {
			Loc []any `json:"loc"`
		} `json:"detail"`
	}
	if err := json.Unmarshal([]byte(answer), &said); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	var got []string
	for _, d := range said.Detail {
		got = append(got, fmt.Sprint(d.Loc...))
	}
	for _, want := range []string{"bodyprompt", "bodynum_images"} {
		if !strings.Contains(strings.Join(got, " "), want) {
			t.Errorf("%s is missing in %s", want, answer)
		}
	}
}

// fal is a stand-in that notes what it gets and answers as it is told.
type stub struct {
	status int
	header http.Header
	body   string
	got    []*http.Request
	bodies []string
}

func (s *stub) RoundTrip(r *http.Request) (*http.Response, error) {
	s.got = append(s.got, r)
	body := []byte{}
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	s.bodies = append(s.bodies, string(body))
	header := s.header.Clone()
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	return &http.Response{StatusCode: s.status, Status: http.StatusText(s.status), Header: header, Body: io.NopCloser(strings.NewReader(s.body)), Request: r}, nil
}

func (s *stub) page(t *testing.T) *page {
	p := newPage(t, faltest.NewServer(t))
	p.h.Client = &fal.Client{Key: fal.NewKey("the-id:the-long-secret+1"), HTTPClient: &http.Client{Transport: s}, Retry: fal.Retry{MaxAttempts: 1}}
	return p
}

// Fal gets the key, what was checked, and of the page's headers those that are
// for it.
func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	s := &stub{status: 200, body: `{}`}
	p := s.page(t)
	p.ask(http.MethodPost, "https://fal.run/fal-ai/flux/schnell", `{ "num_images":2, "prompt":"a mug" }`,
		"Authorization", "Key the:pages", "Cookie", "session=1", "Accept", "text/event-stream", "X-Fal-Queue-Priority", "low",
		"X-Fal-Tags", "team=x", "X-App-Fal-Disable-Fallback", "1", "X-Forwarded-For", "1.2.3.4")
	r := s.got[0]
	if r.URL.String() != "https://fal.run/fal-ai/flux/schnell" || s.bodies[0] != `{"prompt":"a mug","num_images":2}` {
		t.Errorf("%s %s", r.URL, s.bodies[0])
	}
	r.Header.Del("User-Agent")
	want := http.Header{
		"Authorization": {"Key the-id:the-long-secret+1"}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"},
		"X-Fal-Queue-Priority": {"low"}, "X-App-Fal-Disable-Fallback": {"1"},
	}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Errorf("headers -want +got\n%s", diff)
	}
}

// The key does not come back, whatever fal repeats, and no page of fal's becomes
// one of this site.
func TestWhatComesBack(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*stub{
		"in a result":  {status: 200, body: `{"echo":"Key the-id:the-long-secret+1 and the-long-secret%2B1"}`, header: http.Header{"Content-Type": {"application/json"}, "X-Fal-Echo": {"the-id:the-long-secret+1"}, "Set-Cookie": {"the-long-secret+1"}}},
		"in an error":  {status: 500, body: `the-long-secret+1`, header: http.Header{"Content-Type": {"text/html"}}},
		"in a refusal": {status: 401, body: `{"detail":"No user for the-id:the-long-secret+1"}`},
		"locked":       {status: 403, body: `{"detail":"User is locked. Reason: Exhausted balance."}`},
	} {
		p := s.page(t)
		status, header, answer := p.ask(http.MethodGet, "https://queue.fal.run/fal-ai/flux/requests/1", "")
		all := fmt.Sprint(header, answer, p.log.String())
		if strings.Contains(all, "the-long-secret") || header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %s", name, all)
		}
		refused := s.status == 401 || s.status == 403
		if (status == http.StatusBadGateway) != refused || refused && strings.Contains(answer, "balance") || !refused && status != s.status {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if strings.Contains(header.Get("Content-Type"), "html") {
			t.Errorf("%s: %v", name, header)
		}
	}
}

func TestUploadsAndTokens(t *testing.T) {
	t.Parallel()
	const initiate = "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3"
	for name, tt := range map[string]struct {
		target, body string
		change       func(*proxy.Handler)
		want         int
	}{
		"upload":                  {initiate, `{"content_type":"image/png","file_name":"a.png"}`, nil, 200},
		"upload at the old name":  {strings.Replace(initiate, "rest.", "rest.alpha.", 1), `{}`, nil, 200},
		"multipart":               {strings.Replace(initiate, "initiate", "initiate-multipart", 1), `{}`, nil, 200},
		"multipart, the end":      {strings.Replace(initiate, "initiate", "complete-multipart", 1), `{}`, nil, 200},
		"token":                   {"https://rest.fal.ai/tokens/", `{"allowed_apps":["flux-2-pro"],"token_expiration":120}`, nil, 200},
		"token, newer":            {"https://rest.fal.ai/tokens/realtime", `{"allowed_apps":["fal-ai/flux/schnell"],"duration":60}`, nil, 200},
		"token, one app":          {"https://rest.fal.ai/tokens/realtime", `{"app":"fal-ai/flux/schnell"}`, nil, 200},
		"token for others":        {"https://rest.fal.ai/tokens/", `{"allowed_apps":["flux","qwen-image"]}`, nil, 403},
		"token for nothing":       {"https://rest.fal.ai/tokens/", `{}`, nil, 403},
		"token for long":          {"https://rest.fal.ai/tokens/", `{"allowed_apps":["flux"],"token_expiration":121}`, nil, 403},
		"token for longer":        {"https://rest.fal.ai/tokens/realtime", `{"app":"fal-ai/flux/schnell","duration":3600}`, nil, 403},
		"token of another form":   {"https://rest.fal.ai/tokens/", `{"allowed_apps":"flux"}`, nil, 400},
		"token beside a budget":   {"https://rest.fal.ai/tokens/", `{"allowed_apps":["flux"]}`, func(h *proxy.Handler) { h.Client.Guard = &spend.Budget{} }, 403},
		"uploads are not allowed": {initiate, `{}`, func(h *proxy.Handler) { h.Uploads = false }, 403},
		"tokens are not allowed":  {"https://rest.fal.ai/tokens/", `{"allowed_apps":["flux"]}`, func(h *proxy.Handler) { h.Tokens = false }, 403},
	} {
		s := &stub{status: 200, body: `"token"`}
		p := s.page(t)
		p.h.Uploads, p.h.Tokens = true, true
		if tt.change != nil {
			tt.change(&p.h)
		}
		status, _, answer := p.ask(http.MethodPost, tt.target, tt.body)
		if status != tt.want || (len(s.got) == 1) != (tt.want == 200) || len(s.got) == 1 && s.bodies[0] != tt.body {
			t.Errorf("%s: %d %s, sent %q", name, status, answer, s.bodies)
		}
	}
}

// A budget for each user is kept, and settled though the page never asks for
// the result.
func TestBudget(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	p := newPage(t, srv)
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: 5 * pricing.Cent, Tag: spend.Tag{Name: "user"}}}}
	p.h.Client.Guard = budget
	ann, bob := spend.Tag{Name: "user", Value: "ann"}, spend.Tag{Name: "user", Value: "bob"}
	settled := func(tag spend.Tag, want pricing.USD) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); budget.ReservedBy(tag) != 0 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if got := budget.SpentBy(tag); got != want || budget.ReservedBy(tag) != 0 {
			t.Errorf("%s spent %v, want %v; reserved %v", tag.Value, got, want, budget.ReservedBy(tag))
		}
	}
	p.submit("fal-ai/flux-2-pro") // $0.03
	settled(ann, 3*pricing.Cent)
	status, _, answer := p.ask(http.MethodPost, "https://queue.fal.run/fal-ai/flux-2-pro", `{"prompt":"a mug"}`)
	if status != http.StatusPaymentRequired || strings.Contains(answer, "$") {
		t.Errorf("beyond the budget: %d %s", status, answer)
	}
	p.user = "bob"
	for _, fault := range []struct {
		op      faltest.Op
		fault   faltest.Fault
		target  string
		settled bool
	}{
		{faltest.OpSubmit, faltest.ServerError(500), "https://queue.fal.run/fal-ai/flux-2-pro", true},
		{faltest.OpSubmit, faltest.LateFailure(500, "internal_error", "x"), "https://queue.fal.run/fal-ai/flux-2-pro", true},
		{faltest.OpRun, faltest.ServerError(500), "https://fal.run/fal-ai/flux-2-pro", true},
		{faltest.OpRun, faltest.LostAnswer(), "https://fal.run/fal-ai/flux-2-pro", false},
	} {
		srv.Inject(fault.op, fault.fault, 1)
		p.ask(http.MethodPost, fault.target, `{"prompt":"a mug"}`)
		if fault.settled {
			settled(bob, 0)
		} else if budget.ReservedBy(bob) != 3*pricing.Cent {
			t.Errorf("what is not known is no longer reserved: %v", budget.ReservedBy(bob))
		}
	}
	p.user = "cid"
	p.ask(http.MethodPost, "https://fal.run/fal-ai/flux-2-pro", `{"prompt":"a mug"}`)
	settled(spend.Tag{Name: "user", Value: "cid"}, 3*pricing.Cent)
}

// A stream arrives as it is sent, and what breaks off is not taken for the whole.
func TestStreamsPieceByPiece(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(400*time.Millisecond))
	p := newPage(t, srv)
	site := httptest.NewServer(&p.h)
	defer site.Close()
	get := func() *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site.URL, strings.NewReader(`{"prompt":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Fal-Target-Url", "https://fal.run/fal-ai/flux-lora/stream")
		r.Header.Set("X-Test-User", "ann")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	resp := get()
	defer resp.Body.Close()
	start := time.Now()
	if _, err := resp.Body.Read(make([]byte, 10)); err != nil || time.Since(start) > 300*time.Millisecond {
		t.Errorf("the first event after %v: %v", time.Since(start), err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Error(err)
	}
	srv.Inject(faltest.OpStream, faltest.TruncatedBody(), 1)
	cut := get()
	defer cut.Body.Close()
	if _, err := io.ReadAll(cut.Body); err == nil {
		t.Error("what was cut off came as if it were whole")
	}
}
