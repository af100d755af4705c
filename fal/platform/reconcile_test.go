package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// lose submits a request whose answer is lost by a fault.
func lose(t *testing.T, srv *faltest.Server, client *fal.Client, r flux.Dev, f faltest.Fault, opts ...fal.Option) *fal.OutcomeUnknownError {
	t.Helper()
	srv.Inject(faltest.OpSubmit, f, 1)
	_, err := fal.Submit(t.Context(), client, r, opts...)
	lost, ok := errors.AsType[*fal.OutcomeUnknownError](err)
	if !ok {
		t.Fatalf("not lost: %v", err)
	}
	return lost
}

// want is what is to be found out.
type want struct {
	Verdict    platform.Verdict
	Candidates int
	Why        string // a part of it
}

func check(t *testing.T, findings []platform.Finding, wants ...want) {
	t.Helper()
	if len(findings) != len(wants) {
		t.Fatalf("%d findings, want %d", len(findings), len(wants))
	}
	for i, f := range findings {
		if f.Verdict != wants[i].Verdict || len(f.Candidates) != wants[i].Candidates || !strings.Contains(f.Why, wants[i].Why) {
			t.Errorf("%d: %s, %d candidates: %s; want %+v", i, f.Verdict, len(f.Candidates), f.Why, wants[i])
		}
		err := f.Err()
		_, unknown := errors.AsType[*fal.OutcomeUnknownError](err)
		if (f.Verdict == platform.Found) != (err == nil) || fal.NotSent(err) != (f.Verdict == platform.Absent) || unknown != (f.Verdict == platform.Unknown) {
			t.Errorf("%d: %s is told by %v", i, f.Verdict, err)
		}
		if (f.Verdict == platform.Found) != (f.RequestID != "") {
			t.Errorf("%d: %s with request id %q", i, f.Verdict, f.RequestID)
		}
	}
}

func reconcile(t *testing.T, r platform.Reconciler, lost ...*fal.OutcomeUnknownError) []platform.Finding {
	t.Helper()
	findings, err := r.Reconcile(t.Context(), lost...)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// soon lets nothing be late.
const soon = time.Nanosecond

func TestAdopt(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	client.FixSeeds = true
	req := flux.Dev{Prompt: "a fox"}

	lost := lose(t, srv, client, req, faltest.LostAnswer())
	job, err := platform.Adopt(t.Context(), platform.Reconciler{Client: client}, req.Endpoint(), lost)
	if err != nil {
		t.Fatal(err)
	}
	out, err := job.Wait(t.Context())
	if err != nil || len(out.Images) != 1 || srv.Ledger().Submissions != 1 {
		t.Errorf("%+v, %v, %d submissions", out, err, srv.Ledger().Submissions)
	}

	lost = lose(t, srv, client, req, faltest.Reset())
	_, err = platform.Adopt(t.Context(), platform.Reconciler{Client: client, Lag: soon}, req.Endpoint(), lost)
	if !fal.NotSent(err) || fal.Charged(err) != fal.NotBilled {
		t.Errorf("what was not accepted: %v", err)
	}
	if strings.Contains(err.Error(), "bills") {
		t.Errorf("the bills were not looked at, but: %v", err)
	}
	_, err = platform.Adopt(t.Context(), platform.Reconciler{Client: client}, req.Endpoint(), lost)
	if fal.NotSent(err) || !errors.Is(err, error(lost)) || fal.Charged(err) != fal.BillingUnknown {
		t.Errorf("before time has told: %v", err)
	}
	other := errors.New("another error")
	if _, err := platform.Adopt(t.Context(), platform.Reconciler{Client: client}, req.Endpoint(), other); !errors.Is(err, other) || err.Error() != other.Error() {
		t.Errorf("an error that is none of ours became %v", err)
	}
	srv.Inject(faltest.OpPlatform, faltest.Answer(403, `{"error":{"type":"authorization_error","message":"no"}}`), 1)
	if _, err := platform.Adopt(t.Context(), platform.Reconciler{Client: client}, req.Endpoint(), lost); fal.NotSent(err) || fal.Charged(err) != fal.BillingUnknown {
		t.Errorf("without an answer of the platform: %v", err)
	}
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	req := flux.Dev{Prompt: "a fox"}
	seeded := flux.Dev{Prompt: "a fox", Seed: fal.Seed(1<<63 + 1)}
	for name, tt := range map[string]struct {
		run  func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError)
		want []want
	}{
		"found without a seed": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			return platform.Reconciler{Client: srv.Client()}, []*fal.OutcomeUnknownError{lose(t, srv, srv.Client(), req, faltest.LostAnswer())}
		}, []want{{platform.Found, 0, "one request"}}},
		"found among others": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			for i := range 120 { // more than a page
				if _, err := fal.Submit(t.Context(), srv.Client(), flux.Dev{Prompt: "a fox", Seed: fal.Seed(uint64(i))}); err != nil {
					t.Fatal(err)
				}
			}
			return platform.Reconciler{Client: srv.Client()}, []*fal.OutcomeUnknownError{lose(t, srv, srv.Client(), seeded, faltest.LostAnswer())}
		}, []want{{platform.Found, 0, "one request"}}},
		"absent among others": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			lost := lose(t, srv, srv.Client(), seeded, faltest.Reset())
			if _, err := fal.Submit(t.Context(), srv.Client(), flux.Dev{Prompt: "a fox", Seed: fal.Seed(1 << 63)}); err != nil { // by one, beyond what a float64 tells apart
				t.Fatal(err)
			}
			return platform.Reconciler{Client: srv.Client(), Lag: soon}, []*fal.OutcomeUnknownError{lost}
		}, []want{{platform.Absent, 0, "has no such request"}}},
		"a direct call": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			srv.Inject(faltest.OpRun, faltest.LostAnswer(), 1)
			_, err := fal.Run(t.Context(), srv.Client(), seeded)
			lost, _ := errors.AsType[*fal.OutcomeUnknownError](err)
			return platform.Reconciler{Client: srv.Client()}, []*fal.OutcomeUnknownError{lost}
		}, []want{{platform.Found, 0, "one request"}}},
		"a stream": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			srv.Inject(faltest.OpStream, faltest.LostAnswer(), 1)
			for _, err := range fal.Stream(t.Context(), srv.Client(), flux.DevLoRA{Prompt: "a fox"}) {
				if lost, ok := errors.AsType[*fal.OutcomeUnknownError](err); ok {
					return platform.Reconciler{Client: srv.Client(), Lag: soon}, []*fal.OutcomeUnknownError{lost}
				}
			}
			return platform.Reconciler{}, nil
		}, []want{{platform.Found, 0, "one request"}}},
		"its id is known": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			return platform.Reconciler{Client: srv.Client()}, []*fal.OutcomeUnknownError{lose(t, srv, srv.Client(), req, faltest.Cut(40, faltest.ByClose))}
		}, []want{{platform.Found, 0, "the id that came"}}},
		"its id is known, and the history lags": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			srv.SetLag(time.Hour, time.Hour)
			return platform.Reconciler{Client: srv.Client()}, []*fal.OutcomeUnknownError{lose(t, srv, srv.Client(), req, faltest.Cut(40, faltest.ByClose))}
		}, []want{{platform.Found, 0, "the id that came"}}},
		"the id of a direct call is known": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			srv.Inject(faltest.OpRun, faltest.Cut(40, faltest.ByLength), 1)
			_, err := fal.Run(t.Context(), srv.Client(), req)
			lost, ok := errors.AsType[*fal.OutcomeUnknownError](err)
			if !ok || lost.RequestID == "" {
				t.Fatalf("%v", err)
			}
			return platform.Reconciler{Client: srv.Client()}, []*fal.OutcomeUnknownError{aged(lost, 20*24*time.Hour)} // whatever its time
		}, []want{{platform.Found, 0, "the id that came"}}},
		"two alike, both lost": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			return platform.Reconciler{Client: srv.Client(), Lag: soon}, []*fal.OutcomeUnknownError{
				lose(t, srv, srv.Client(), req, faltest.LostAnswer()), lose(t, srv, srv.Client(), req, faltest.LostAnswer()),
			}
		}, []want{{platform.Unknown, 2, "same input"}, {platform.Unknown, 2, "same input"}}},
		"two alike, one lost and one never there": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			return platform.Reconciler{Client: srv.Client(), Lag: soon}, []*fal.OutcomeUnknownError{
				lose(t, srv, srv.Client(), req, faltest.LostAnswer()), lose(t, srv, srv.Client(), req, faltest.Reset()),
			}
		}, []want{{platform.Unknown, 1, "same input"}, {platform.Unknown, 1, "same input"}}},
		"two alike, one of them known": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			job, err := fal.Submit(t.Context(), srv.Client(), req)
			if err != nil {
				t.Fatal(err)
			}
			return platform.Reconciler{Client: srv.Client(), Known: func(id string) bool { return id == job.ID() }},
				[]*fal.OutcomeUnknownError{lose(t, srv, srv.Client(), req, faltest.LostAnswer())}
		}, []want{{platform.Found, 0, "one request"}}},
		"one alike was known, ours is absent": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			job, err := fal.Submit(t.Context(), srv.Client(), req)
			if err != nil {
				t.Fatal(err)
			}
			return platform.Reconciler{Client: srv.Admin(), Lag: soon, Known: func(id string) bool { return id == job.ID() }},
				[]*fal.OutcomeUnknownError{lose(t, srv, srv.Client(), req, faltest.Reset())}
		}, []want{{platform.Absent, 0, "nor do the bills"}}},
		"an earlier attempt, ours is absent": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			srv.SetLag(time.Hour, 0) // the bills have it, and the history does not
			job, err := fal.Submit(t.Context(), srv.Client(), req)
			if err == nil {
				_, err = job.Wait(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			lost := lose(t, srv, srv.Client(), req, faltest.Reset())
			lost.Not = []string{job.ID()}
			return platform.Reconciler{Client: srv.Admin(), Lag: soon}, []*fal.OutcomeUnknownError{lost}
		}, []want{{platform.Absent, 0, "nor do the bills"}}},
		"not stored": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			return platform.Reconciler{Client: srv.Client(), Lag: soon}, []*fal.OutcomeUnknownError{lose(t, srv, srv.Client(), req, faltest.LostAnswer(), fal.WithoutStorage())}
		}, []want{{platform.Unknown, 1, "cannot be compared"}}},
		"the history lags": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			srv.SetLag(time.Hour, time.Hour)
			return platform.Reconciler{Client: srv.Admin()}, []*fal.OutcomeUnknownError{lose(t, srv, srv.Client(), req, faltest.LostAnswer())}
		}, []want{{platform.Unknown, 0, "incomplete until"}}},
		"the history lags behind the bills": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			srv.SetLag(time.Hour, 0)
			lost := lose(t, srv, srv.Client(), req, faltest.LostAnswer())
			return platform.Reconciler{Client: srv.Admin(), Lag: time.Second}, []*fal.OutcomeUnknownError{aged(lost, 2*time.Second)}
		}, []want{{platform.Unknown, 1, "bills"}}},
		"bills of a sibling": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			lost := lose(t, srv, srv.Client(), req, faltest.Reset())
			if _, err := fal.Subscribe(t.Context(), srv.Client(), flux.Schnell{Prompt: "a fox"}); err != nil { // is fal-ai/flux too
				t.Fatal(err)
			}
			return platform.Reconciler{Client: srv.Admin(), Lag: soon}, []*fal.OutcomeUnknownError{lost}
		}, []want{{platform.Absent, 0, "nor do the bills"}}},
		"another clock": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			lost := lose(t, srv, srv.Client(), req, faltest.LostAnswer())
			return platform.Reconciler{Client: srv.Client(), Lag: soon}, []*fal.OutcomeUnknownError{aged(lost, 30*time.Minute)}
		}, []want{{platform.Unknown, 1, "cannot be compared"}}},
		"sent yesterday": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			lost := lose(t, srv, srv.Client(), req, faltest.LostAnswer())
			return platform.Reconciler{Client: srv.Client()}, []*fal.OutcomeUnknownError{aged(lost, 26*time.Hour)}
		}, []want{{platform.Absent, 0, "complete"}}},
		"sent too long ago": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			lost := lose(t, srv, srv.Client(), req, faltest.Reset())
			return platform.Reconciler{Client: srv.Client()}, []*fal.OutcomeUnknownError{aged(lost, 31*24*time.Hour), aged(lost, 400*24*time.Hour), {Endpoint: lost.Endpoint}}
		}, []want{{platform.Unknown, 0, "longer ago"}, {platform.Unknown, 0, "longer ago"}, {platform.Unknown, 0, "longer ago"}}},
		"what was sent is not known": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			lost := lose(t, srv, srv.Client(), req, faltest.LostAnswer())
			lost.Payload = nil
			return platform.Reconciler{Client: srv.Client(), Lag: soon}, []*fal.OutcomeUnknownError{lost}
		}, []want{{platform.Unknown, 1, "cannot be compared"}}},
		"a training may take long": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			lost := lose(t, srv, srv.Client(), req, faltest.Reset())
			lost.Endpoint = "fal-ai/flux-2-trainer"
			return platform.Reconciler{Client: srv.Client()}, []*fal.OutcomeUnknownError{aged(lost, 3*time.Hour), aged(lost, 25*time.Hour)}
		}, []want{{platform.Unknown, 0, "incomplete"}, {platform.Absent, 0, ""}}},
		"still running": {func(t *testing.T, srv *faltest.Server) (platform.Reconciler, []*fal.OutcomeUnknownError) {
			long := faltest.NewServer(t, faltest.RunTime(time.Hour))
			return platform.Reconciler{Client: long.Admin()}, []*fal.OutcomeUnknownError{lose(t, long, long.Client(), req, faltest.LostAnswer())}
		}, []want{{platform.Unknown, 0, "incomplete"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, lost := tt.run(t, faltest.NewServer(t))
			check(t, reconcile(t, r, lost...), tt.want...)
		})
	}
}

// aged is a lost answer to what was sent some time before.
func aged(lost *fal.OutcomeUnknownError, d time.Duration) *fal.OutcomeUnknownError {
	old := *lost
	old.Sent = old.Sent.Add(-d)
	return &old
}

// A job that the history does not list yet is found when it does.
func TestReconcileLater(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ahead time.Duration
	srv := faltest.NewServer(t, faltest.Clock(func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}))
	srv.SetLag(time.Hour, time.Hour)
	lost := lose(t, srv, srv.Client(), flux.Dev{Prompt: "a fox"}, faltest.LostAnswer())
	r := platform.Reconciler{Client: srv.Admin()}
	first := reconcile(t, r, lost)
	check(t, first, want{platform.Unknown, 0, "incomplete"})
	if until := first[0].AskAgain.Sub(lost.Sent); until != 70*time.Minute {
		t.Errorf("to be asked again after %v", until)
	}
	mu.Lock()
	ahead = 61 * time.Minute
	mu.Unlock()
	check(t, reconcile(t, r, lost), want{platform.Found, 0, "one request"})
}

// Of many requests, some lost, some never accepted, each is told apart.
func TestReconcileMany(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	client.FixSeeds = true
	var lost []*fal.OutcomeUnknownError
	var wants []want
	for i := range 12 {
		switch i % 3 {
		case 0:
			lost, wants = append(lost, lose(t, srv, client, flux.Dev{Prompt: "a fox"}, faltest.LostAnswer())), append(wants, want{platform.Found, 0, ""})
		case 1:
			lost, wants = append(lost, lose(t, srv, client, flux.Dev{Prompt: "a fox"}, faltest.Reset())), append(wants, want{platform.Absent, 0, ""})
		default:
			if _, err := fal.Submit(t.Context(), client, flux.Dev{Prompt: "a fox"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	findings := reconcile(t, platform.Reconciler{Client: srv.Admin(), Lag: soon}, lost...)
	check(t, findings, wants...)
	var ids []string
	for i, f := range findings {
		if f.Lost != lost[i] {
			t.Errorf("finding %d is about another request", i)
		}
		if f.RequestID != "" {
			ids = append(ids, f.RequestID)
			if f.Request.Output == nil || f.Request.StatusCode != http.StatusOK {
				t.Errorf("finding %d: %+v", i, f.Request)
			}
		}
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 4 {
		t.Errorf("%d jobs were adopted, want 4", n)
	}
	if posts := srv.Ledger().Submissions; posts != 8 {
		t.Errorf("%d submissions: something was sent again", posts)
	}
}

// What a history says of times decides, and what it is asked for is enough.
func TestReconcileTimes(t *testing.T) {
	t.Parallel()
	sent := time.Now().Add(-5 * time.Hour).UTC()
	payload := func() json.RawMessage { return json.RawMessage(`{"prompt":"a fox"}`) }
	lost := &fal.OutcomeUnknownError{Endpoint: "me/model", Sent: sent, Payload: payload, Err: errors.New("lost")}
	row := func(at string) string {
		return `{"request_id":"one","endpoint_id":"me/model","sent_at":"` + at + `","json_input":{"prompt":"a fox"}}`
	}
	after := func(d time.Duration) string { return row(sent.Add(d).Format(time.RFC3339Nano)) }
	for name, tt := range map[string]struct {
		rows string
		want platform.Verdict
	}{
		"none":            {"", platform.Absent},
		"at once":         {after(0), platform.Found},
		"by a clock":      {after(-5 * time.Minute), platform.Found},
		"by attempts":     {after(15 * time.Minute), platform.Found},
		"too early":       {after(-5*time.Minute - time.Second), platform.Unknown},
		"too late":        {after(15*time.Minute + time.Second), platform.Unknown},
		"much too early":  {after(-66 * time.Minute), platform.Absent},
		"much too late":   {after(76 * time.Minute), platform.Absent},
		"without a time":  {row("soon"), platform.Unknown},
		"without an id":   {strings.Replace(after(0), `"one"`, `""`, 1), platform.Absent},
		"listed twice":    {after(0) + "," + after(0), platform.Found},
		"with more of it": {strings.Replace(after(0), `"a fox"`, `"a fox","num_images":1`, 1), platform.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				query := r.URL.Query()
				switch {
				case r.URL.Path == "/": // for the time alone
				case query.Get("endpoint_id") == "me/model/stream":
					w.WriteHeader(http.StatusNotFound)
					_, _ = io.WriteString(w, `{"error":{"type":"not_found","message":"no such endpoint"}}`)
				case strings.HasSuffix(r.URL.Path, "/billing-events"):
					w.WriteHeader(http.StatusForbidden)
					_, _ = io.WriteString(w, `{"error":{"type":"authorization_error","message":"no"}}`)
				default:
					start, _ := time.Parse(time.RFC3339Nano, query.Get("start"))
					end, _ := time.Parse(time.RFC3339Nano, query.Get("end"))
					if start.After(sent.Add(-65*time.Minute-2*time.Hour)) || end.Before(sent.Add(2*time.Hour)) {
						t.Errorf("asked for %v to %v, which is too little of %v", start, end, sent)
					}
					_, _ = io.WriteString(w, `{"items":[`+tt.rows+`],"has_more":false}`)
				}
			}))
			defer srv.Close()
			r := platform.Reconciler{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), Hosts: fal.Hosts{Platform: srv.URL, Queue: srv.URL}}}
			for _, all := range [][]*fal.OutcomeUnknownError{{lost, aged(lost, 2*time.Hour)}, {aged(lost, 2*time.Hour), lost}} {
				for _, f := range reconcile(t, r, all...) {
					if f.Lost == lost && f.Verdict != tt.want {
						t.Errorf("%s, want %s: %s", f.Verdict, tt.want, f.Why)
					}
				}
			}
		})
	}
}

func TestReconcileNil(t *testing.T) {
	t.Parallel()
	if _, err := (platform.Reconciler{}).Reconcile(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("nil: %v", err)
	}
	if _, err := (platform.Reconciler{}).Reconcile(context.Background(), &fal.OutcomeUnknownError{Endpoint: "a/b"}); err == nil || !strings.Contains(err.Error(), "Client") {
		t.Errorf("without a client: %v", err)
	}
	if _, err := (platform.Reconciler{}).Find(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("nil: %v", err)
	}
	if findings, err := (platform.Reconciler{}).Reconcile(context.Background()); err != nil || len(findings) != 0 {
		t.Errorf("nothing to find out: %v, %v", findings, err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	const sent = `{"mask_url":"https://a/b","prompt":"a fox","seed":9223372036854775809,"strength":0.5,"loras":[{"path":"https://a/b","scale":1}],"image_url":"data:x"}`
	for input, want := range map[string]string{
		sent: "same",
		`{"mask_url":"https://a/b","seed":9223372036854775809,"image_url":"data:x","loras":[{"scale":1.0,"path":"https://a/b"}],"prompt":"a fox","strength":5e-1}`: "same",
		`{"prompt":"a fox","seed":9223372036854775808,"strength":0.5,"loras":[{"path":"https://a/b","scale":1}],"image_url":"data:x"}`:                             "other",
		`{"prompt":"a dog"}`:         "other",
		`{"image_url":"data:y"}`:     "similar", // it may be the same picture
		`{"mask_url":"https://c/d"}`: "similar",
		`{"prompt":"a fox"}`:         "similar",
		`{}`:                         "similar",
		`[]`:                         "similar",
		`{"prompt":"a fox","seed":9223372036854775809,"strength":0.5,"loras":[{"path":"https://a/b","scale":1}],"image_url":"https://v3/x"}`: "similar",
		`{"prompt":"a fox","seed":9223372036854775809,"strength":0.5,"loras":[{"path":"https://a/c","scale":1}],"image_url":"data:x"}`:       "similar",
		`{"prompt":"a fox","seed":9223372036854775809,"strength":0.5,"loras":[],"image_url":"data:x"}`:                                       "similar",
		sent[:len(sent)-1] + `,"num_images":1}`: "similar",
		`{"prompt":["a fox"]}`:                  "similar",
		`{"strength":1e999999999}`:              "other",
	} {
		if got := platform.Compare(sent, input); got != want {
			t.Errorf("%s: %s, want %s", input, got, want)
		}
	}
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	if got := platform.Compare(deep, deep); got != "similar" {
		t.Errorf("a deep nest is %s", got)
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(`{"prompt":"a","seed":1}`, `{"seed":1.0,"prompt":"a"}`)
	f.Add(`{"a":[1,2,{"b":null}]}`, `{"a":[1,2,{"b":null}]}`)
	f.Add(`{"a":1e400}`, `{"a":1e-400}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if one, two := platform.Compare(a, b), platform.Compare(b, a); one != two {
			t.Errorf("%s one way, %s the other", one, two)
		}
		if strings.HasPrefix(a, "{") && platform.Compare(a, a) == "other" {
			t.Error("it is another than itself")
		}
	})
}

func ExampleFinding() {
	f := platform.Finding{Lost: &fal.OutcomeUnknownError{Endpoint: "fal-ai/flux/dev"}, Verdict: platform.Absent, Why: "the history is complete"}
	fmt.Println(fal.NotSent(f.Err()))
	// Output: true
}

// A budget learns what became of the money that it has set aside.
func TestAdoptBudget(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
	client.Guard, client.FixSeeds = budget, true
	req := flux.Dev{Prompt: "a fox"}
	r := platform.Reconciler{Client: client, Lag: soon}

	if _, err := platform.Adopt(t.Context(), r, req.Endpoint(), lose(t, srv, client, req, faltest.Reset())); !fal.NotSent(err) || budget.Reserved() != 0 {
		t.Errorf("%v, %v is still set aside", err, budget.Reserved())
	}
	job, err := platform.Adopt(t.Context(), r, req.Endpoint(), lose(t, srv, client, req, faltest.LostAnswer()))
	if err != nil || budget.Reserved() == 0 {
		t.Fatalf("%v, %v set aside", err, budget.Reserved())
	}
	if _, err := job.Wait(t.Context()); err != nil || budget.Reserved() != 0 || budget.Spent() == 0 {
		t.Errorf("%v, %v set aside, %v spent", err, budget.Reserved(), budget.Spent())
	}
	lost := lose(t, srv, client, flux.Dev{Prompt: "a fox", Seed: fal.Seed(1)}, faltest.LostAnswer())
	srv.SetLag(time.Hour, time.Hour)
	if _, err := platform.Adopt(t.Context(), platform.Reconciler{Client: client}, req.Endpoint(), lost); err == nil || budget.Reserved() == 0 {
		t.Errorf("what is unknown was set free: %v", err)
	}
}
