package fal_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// These tests run the client against the local fal over real sockets.

func quiet(c *fal.Client) *fal.Client {
	c.Logger = slog.New(slog.DiscardHandler)
	c.Retry = fal.Retry{MinWait: time.Millisecond, MaxWait: 5 * time.Millisecond, MaxRetryAfter: 5 * time.Millisecond}
	return c
}

// However a submit goes wrong, it is never paid twice: the local fal counts
// what reached it and what it accepted.
func TestNeverPaysTwice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		fault           faltest.Fault
		posts, accepted int
		unknown, ok     bool
		timeout         time.Duration
	}{
		{name: "lost answer", fault: faltest.LostAnswer(), posts: 1, accepted: 1, unknown: true},
		{name: "reset", fault: faltest.Reset(), posts: 1, unknown: true},
		{name: "500 of fal", fault: faltest.ServerError(http.StatusInternalServerError), posts: 1},
		{name: "503 of fal", fault: faltest.ServerError(http.StatusServiceUnavailable), posts: 1},
		{name: "500 page", fault: faltest.ErrorPage(http.StatusInternalServerError), posts: 1, unknown: true},
		{name: "502 page", fault: faltest.ErrorPage(http.StatusBadGateway), posts: 1, unknown: true},
		{name: "504 page", fault: faltest.ErrorPage(http.StatusGatewayTimeout), posts: 1, unknown: true},
		{name: "503 page", fault: faltest.ErrorPage(http.StatusServiceUnavailable), posts: 1, unknown: true},
		{name: "429", fault: faltest.TooManyRequests(0), posts: 2, accepted: 1, ok: true},
		{name: "429 for a day", fault: faltest.TooManyRequests(24 * time.Hour), posts: 1},
		{name: "truncated answer", fault: faltest.TruncatedBody(), posts: 1, accepted: 1, unknown: true},
		{name: "slow answer", fault: faltest.SlowBody(200 * time.Millisecond), posts: 1, accepted: 1, ok: true},
		{name: "slow answer, context ends", fault: faltest.SlowBody(300 * time.Millisecond), posts: 1, accepted: 1, timeout: 50 * time.Millisecond},
		{name: "locked", fault: faltest.LockedAccount(), posts: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			srv.Inject(faltest.OpSubmit, tt.fault, 1)
			ctx := t.Context()
			if tt.timeout > 0 {
				var stop context.CancelFunc
				ctx, stop = context.WithTimeout(ctx, tt.timeout)
				defer stop()
			}
			out, err := fal.Subscribe(ctx, quiet(srv.Client()), flux.Pro2{Prompt: "a mug"})
			l := srv.Ledger()
			if l.Posts != tt.posts || l.Submissions != tt.accepted || len(l.Bills) != tt.accepted {
				t.Errorf("%d requests, %d of them accepted; want %d, %d", l.Posts, l.Submissions, tt.posts, tt.accepted)
			}
			if (err == nil) != tt.ok || tt.ok && len(out.Images) != 1 {
				t.Errorf("got %v, %v", out, err)
			}
			if _, unknown := errors.AsType[*fal.OutcomeUnknownError](err); unknown != tt.unknown {
				t.Errorf("error = %v", err)
			}
			_, isError := errors.AsType[*fal.Error](err)
			_, lost := errors.AsType[*fal.JobError](err)
			if !tt.ok && !tt.unknown && !isError && !lost {
				t.Errorf("error is a %T: %v", err, err)
			}
			// Where the answer was read in part, its header may have told the id.
			if tt.accepted == 1 && fal.RequestID(err) != "" && fal.RequestID(err) != l.Bills[0].RequestID {
				t.Errorf("the error names request %s, accepted was %s", fal.RequestID(err), l.Bills[0].RequestID)
			}
		})
	}
}

// The same for direct calls.
func TestRunNeverPaysTwice(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faltest.Fault{
		"lost answer": faltest.LostAnswer(), "reset": faltest.Reset(), "truncated": faltest.TruncatedBody(),
		"502 page": faltest.ErrorPage(http.StatusBadGateway), "500": faltest.ServerError(http.StatusInternalServerError),
	} {
		srv := faltest.NewServer(t)
		srv.Inject(faltest.OpRun, fault, 1)
		_, err := fal.Run(t.Context(), quiet(srv.Client()), flux.Pro2{Prompt: "a mug"})
		if l := srv.Ledger(); err == nil || l.Posts != 1 {
			t.Errorf("%s: error = %v after %d requests", name, err, l.Posts)
		}
	}
}

// What goes wrong after the job was accepted does not lose it.
func TestJobsSurvive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		op    faltest.Op
		fault faltest.Fault
		times int
	}{
		{"no stream", faltest.OpStatusStream, faltest.ErrorPage(http.StatusNotFound), 99},
		{"stream breaks off", faltest.OpSubmit, faltest.DroppedStream(), 1},
		{"stream is reset", faltest.OpStatusStream, faltest.Reset(), 99},
		{"status fails at times", faltest.OpStatus, faltest.ErrorPage(http.StatusBadGateway), 3},
		{"result is reset", faltest.OpResult, faltest.Reset(), 2},
		{"result is not there for a moment", faltest.OpResult, faltest.ErrorPage(http.StatusServiceUnavailable), 2},
		{"unknown status", faltest.OpSubmit, faltest.UnknownStatus("WARMING_UP"), 1},
		{"nulls", faltest.OpSubmit, faltest.NullFields(), 1},
		{"unknown fields", faltest.OpSubmit, faltest.UnknownFields(), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t, faltest.QueueTime(20*time.Millisecond), faltest.RunTime(250*time.Millisecond))
			if tt.op == faltest.OpStatus {
				srv.Inject(faltest.OpStatusStream, faltest.ErrorPage(http.StatusNotFound), 99)
			}
			srv.Inject(tt.op, tt.fault, tt.times)
			out, err := fal.Subscribe(t.Context(), quiet(srv.Client()), qwen.Image{Prompt: "a mug"})
			if err != nil || len(out.Images) != 1 || out.RequestID == "" || out.BillableUnits != "1" {
				t.Errorf("got %+v, %v", out, err)
			}
			if l := srv.Ledger(); l.Submissions != 1 {
				t.Errorf("%d submissions", l.Submissions)
			}
		})
	}
}

// A result whose transfer breaks off is fetched again.
func TestResultTruncated(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpResult, faltest.TruncatedBody(), 1)
	client := quiet(srv.Client())
	out, err := fal.Subscribe(t.Context(), client, flux.Pro2{Prompt: "a mug"})
	if err != nil || len(out.Images) != 1 {
		t.Errorf("got %v, %v", out, err)
	}
}

func TestLateFailures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(30*time.Millisecond))
	client := quiet(srv.Client())
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(http.StatusUnprocessableEntity, "content_policy_violation", "no"), 1)
	_, err := fal.Subscribe(t.Context(), client, flux.Pro2{Prompt: "x"})
	e, ok := errors.AsType[*fal.Error](err)
	if !ok || !errors.Is(err, fal.ErrContentPolicy) || e.RequestID == "" || e.Billing != fal.Billed || e.Retryable {
		t.Errorf("error = %+v", err)
	}
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(http.StatusInternalServerError, "internal_server_error", "boom"), 1)
	_, err = fal.Subscribe(t.Context(), client, flux.Pro2{Prompt: "x"})
	e, ok = errors.AsType[*fal.Error](err)
	if !ok || e.Status != http.StatusInternalServerError || e.Billing != fal.NotBilled || !strings.Contains(e.Message, "boom") {
		t.Errorf("error = %+v", err)
	}
	if l := srv.Ledger(); l.Results != 2 {
		t.Errorf("%d results fetched, want each once", l.Results)
	}
}

func TestStartTimeout(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(time.Hour))
	_, err := fal.Subscribe(t.Context(), quiet(srv.Client()), flux.Pro2{Prompt: "x"}, fal.WithStartTimeout(150*time.Millisecond))
	if !errors.Is(err, fal.ErrStartTimeout) {
		t.Errorf("error = %v", err)
	}
}

func TestCancelOutcomes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		queue, run time.Duration
		want       fal.CancelOutcome
	}{
		{time.Hour, 0, fal.Cancelled},
		{0, time.Hour, fal.CancelRequested},
		{0, 0, fal.AlreadyCompleted},
	} {
		srv := faltest.NewServer(t, faltest.QueueTime(tt.queue), faltest.RunTime(tt.run))
		client := quiet(srv.Client())
		job, err := fal.Submit(t.Context(), client, flux.Pro2{Prompt: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := job.Cancel(t.Context()); got != tt.want || err != nil {
			t.Errorf("Cancel() = %q, %v, want %q", got, err, tt.want)
		}
		_, err = job.Wait(t.Context())
		if errors.Is(err, fal.ErrCancelled) != (tt.want != fal.AlreadyCompleted) {
			t.Errorf("%s: Wait() error = %v", tt.want, err)
		}
		gone := fal.Resume(client, job.Endpoint(), "00000000-0000-0000-0000-000000000000")
		if got, err := gone.Cancel(t.Context()); got != fal.JobNotFound || err != nil {
			t.Errorf("Cancel() of a job that is not there = %q, %v", got, err)
		}
		if _, err := gone.Wait(t.Context()); !errors.Is(err, fal.ErrNotFound) {
			t.Errorf("Wait() for a job that is not there: %v", err)
		}
	}
}

// Files travel from local content to the model, once per content.
func TestReferences(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := quiet(srv.Client())
	content := pngFile(t, 1500, 1000) // 2 MP
	req := flux.Pro2Edit{
		Prompt:    "@image1 and @image2 in the style of @image3",
		ImageURLs: []fal.File{fal.Bytes(content), fal.Bytes(content), fal.URL("https://x.example/1mp.png")},
		ImageSize: fal.SquareHD,
	}
	for range 2 {
		out, err := fal.Subscribe(t.Context(), client, req)
		if err != nil {
			t.Fatal(err)
		}
		// 1 MP of output, 2+2+1 MP of inputs: the first megapixel and five halves.
		if out.BillableUnits != "3.5" {
			t.Errorf("billed %s units, want 3.5", out.BillableUnits)
		}
	}
	if l := srv.Ledger(); l.Uploads != 1 {
		t.Errorf("%d uploads of the same content, want 1", l.Uploads)
	}
	if _, isURL := req.ImageURLs[0].URL(); isURL {
		t.Error("the caller's request was changed")
	}
}

// Several files of one request are uploaded side by side.
func TestManyReferences(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	req := flux.Pro2Edit{Prompt: "all of them", ImageSize: fal.SquareHD}
	for i := range 9 {
		req.ImageURLs = append(req.ImageURLs, fal.Bytes(pngFile(t, 10+i, 10)))
	}
	if _, err := fal.Subscribe(t.Context(), quiet(srv.Client()), req); err != nil {
		t.Fatal(err)
	}
	if l := srv.Ledger(); l.Uploads != 9 {
		t.Errorf("%d uploads, want 9", l.Uploads)
	}
}

func TestStreamEndToEnd(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	n := 0
	for out, err := range fal.Stream(t.Context(), quiet(srv.Client()), flux.DevLoRA{Prompt: "x"}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; len(out.Images) != 1 {
			t.Errorf("got %+v", out)
		}
	}
	if n < 2 {
		t.Errorf("%d events, want several", n)
	}
}

func TestFlagged(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpRun, faltest.NSFW(), 1)
	out, err := fal.Run(t.Context(), quiet(srv.Client()), flux.Schnell{Prompt: "x"})
	if err != nil || !out.Flagged(0) || out.Flagged(1) || out.Flagged(-1) {
		t.Errorf("got %+v, %v", out, err)
	}
}

// The result is in hand right after the job is done, after few exchanges.
func TestStatusExchanges(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(50*time.Millisecond), faltest.RunTime(200*time.Millisecond))
	if _, err := fal.Subscribe(t.Context(), quiet(srv.Client()), flux.Pro2{Prompt: "x"}); err != nil {
		t.Fatal(err)
	}
	if l := srv.Ledger(); l.Polls+l.Streams > 3 || l.Results != 1 {
		t.Errorf("%d polls, %d streams, %d results", l.Polls, l.Streams, l.Results)
	}
}

// Nothing that a client, its errors, requests or logs print holds the key.
func TestKeyNowhere(t *testing.T) {
	t.Parallel()
	const key = "key-id-1:5ecre7-5ecre7"
	var log strings.Builder
	srv := faltest.NewServer(t, faltest.WithKey(key))
	client := srv.Client()
	client.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	req := flux.Pro2Edit{Prompt: "a secret prompt", ImageURLs: []fal.File{fal.Bytes(pngFile(t, 2, 2))}}
	out, err := fal.Subscribe(t.Context(), client, req)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Save(t.Context(), out.Images[0], t.TempDir()+"/a.jpg"); err != nil {
		t.Fatal(err)
	}
	wrong := srv.Client()
	wrong.Key = fal.NewKey("key-id-1:5ecre7-wrong")
	_, unauthorized := fal.Subscribe(t.Context(), wrong, req)
	if !errors.Is(unauthorized, fal.ErrUnauthorized) || !strings.Contains(unauthorized.Error(), "FAL_KEY") {
		t.Errorf("error = %v", unauthorized)
	}
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	_, unknown := fal.Subscribe(t.Context(), client, req)
	text := log.String() + prints(client, unauthorized, unknown, req, out)
	if strings.Contains(text, "5ecre7") {
		t.Errorf("the key was printed:\n%s", text)
	}
	if strings.Contains(log.String(), "secret prompt") {
		t.Error("the prompt was logged")
	}
	if !strings.Contains(log.String(), "request_id=") || !strings.Contains(log.String(), "status=200") {
		t.Errorf("the log says little:\n%s", log.String())
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	srv := faltest.New()
	client := quiet(srv.Client())
	srv.Close()
	_, err := fal.Subscribe(t.Context(), client, flux.Pro2{Prompt: "x"})
	if err == nil || !strings.Contains(err.Error(), "not sent") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error = %v", err)
	}
}

// An account that is locked while a job runs does not lose it.
func TestLockedAndResumed(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(100*time.Millisecond))
	srv.Inject(faltest.OpStatusStream, faltest.LockedAccount(), 1)
	srv.Inject(faltest.OpStatus, faltest.LockedAccount(), 2)
	client := quiet(srv.Client())
	_, err := fal.Subscribe(t.Context(), client, flux.Pro2{Prompt: "x"})
	if !errors.Is(err, fal.ErrLocked) || fal.RequestID(err) == "" {
		t.Fatalf("error = %v", err)
	}
	if out, err := fal.Resume(client, flux.Pro2{}.Endpoint(), fal.RequestID(err)).Wait(t.Context()); err != nil || len(out.Images) != 1 {
		t.Errorf("got %v, %v", out, err)
	}
	if l := srv.Ledger(); l.Cancels != 0 {
		t.Error("the job was cancelled")
	}
}
