package riverbatch_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/riverbatch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

// exec changes something of the batch, which is $1.
func (f *fleet) exec(sql string) {
	f.Helper()
	if _, err := f.pool.Exec(f.Context(), sql, f.j.Name()); err != nil {
		f.Fatal(err)
	}
}

func (f *fleet) rescue(want int) {
	f.Helper()
	if n, err := f.j.Rescue(f.Context()); n != want || err != nil {
		f.Errorf("%d were rescued: %v", n, err)
	}
}

// An item whose worker is gone gets a new job when its lease is over, one whose job is
// gone at once; one that waits, is at work, is done or was cancelled does not.
func TestRescue(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.insert(mugs(1)...)
	f.rescue(0) // it waits
	f.exec("UPDATE river_job SET state = 'running', attempted_at = now() WHERE queue = $1")
	f.rescue(0) // it was fetched just now
	f.exec("UPDATE river_job SET attempted_at = now() - interval '1 minute' WHERE queue = $1")
	f.exec("UPDATE falimage_item SET lease = 'x', leased_until = now() + interval '1 hour' WHERE batch = $1")
	f.rescue(0) // somebody is at it
	f.exec("UPDATE falimage_item SET leased_until = now() - interval '1 second' WHERE batch = $1")
	f.rescue(1)
	f.rescue(0)
	f.exec("DELETE FROM river_job WHERE queue = $1")
	f.rescue(1)
	f.exec("UPDATE river_job SET state = 'scheduled', scheduled_at = now() - interval '5 seconds' WHERE queue = $1")
	f.rescue(0)
	f.exec("UPDATE river_job SET scheduled_at = now() - interval '15 seconds' WHERE queue = $1")
	f.rescue(1) // River has no leader
	f.rescue(0)
	discard := "UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE queue = $1"
	f.exec("UPDATE falimage_item SET state = 'submitted' WHERE batch = $1")
	f.exec(discard)
	f.rescue(1) // it may be paid
	cancel := "UPDATE river_job SET state = 'cancelled', finalized_at = now() WHERE queue = $1"
	for _, state := range []batch.State{batch.Intent, batch.Submitted, batch.Unknown, batch.Done} {
		f.exec("UPDATE falimage_item SET state = '" + string(state) + "' WHERE batch = $1")
		f.exec(cancel)
		f.rescue(1)
	}
	f.exec("UPDATE falimage_item SET state = NULL WHERE batch = $1")
	f.exec(discard)
	f.rescue(0)
	f.insert(mugs(1)...) // it was given up, and is wanted again
	f.exec(cancel)
	f.rescue(0)
	f.exec("DELETE FROM river_job WHERE queue = $1")
	f.rescue(0)
	f.insert(mugs(1)...)
	f.start(f.worker(), 1)
	f.until("completed", 1)
	f.rescue(0)
	f.settle(1)
}

// An item whose job is cancelled in River while fal does it: its result is kept, and what
// was set aside for it settled.
func TestCancelledWhileSent(t *testing.T) {
	t.Parallel()
	var later atomic.Int64 // while it is 0, the job does not end
	start := time.Now()
	f := newFleet(t, faltest.RunTime(time.Second), faltest.Clock(func() time.Time { return start.Add(time.Duration(later.Load())) }))
	f.insert(mugs(1)...)
	w := f.worker()
	w.Hold, w.RescueEvery = -1, time.Hour
	f.start(w, 1)
	f.wait("the request", func() bool {
		row, _, _ := f.j.Get(t.Context(), "mug 0")
		return row.State == batch.Submitted && f.jobs()["running"] == 0
	})
	f.exec("UPDATE river_job SET state = 'cancelled', finalized_at = now() WHERE queue = $1 AND state <> 'running'")
	f.wait("the rescue", func() bool { n, err := f.j.Rescue(t.Context()); return n == 1 && err == nil })
	later.Store(int64(time.Minute))
	f.until("completed", 1)
	f.settle(1)
}

// A worker that was killed after its intent was noted: whoever takes up the item waits
// for the lease, and finds what was sent.
func TestTakenUp(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.insert(mugs(1)...)
	var endpoint string
	var body []byte
	if err := f.pool.QueryRow(t.Context(), "SELECT endpoint, body FROM falimage_item WHERE batch = $1", f.j.Name()).Scan(&endpoint, &body); err != nil {
		t.Fatal(err)
	}
	f.exec("UPDATE falimage_item SET lease = 'of one that is gone', leased_until = now() + interval '1500 milliseconds' WHERE batch = $1")
	// What the one that is gone has done: it noted the intent and sent the request.
	client := f.client()
	client.Guard = nil
	job, err := fal.Submit(t.Context(), client, fal.Call[fal.Images]{ID: fal.Endpoint[fal.Images](endpoint), Input: json.RawMessage(body)})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s", endpoint, body)) // as package batch has it
	err = f.j.Put(t.Context(), batch.Row{Key: "mug 0", Revision: 1, State: batch.Intent, Endpoint: endpoint, Digest: hex.EncodeToString(sum[:]), Sent: time.Now(), Payload: body})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	f.start(f.worker(), 1)
	f.until("completed", 1)
	if took := time.Since(start); took < time.Second {
		t.Errorf("it was taken up after %v, while the lease lasted", took)
	}
	row, _, err := f.j.Get(t.Context(), "mug 0")
	if err != nil || row.RequestID != job.ID() {
		t.Errorf("request %s, sent was %s: %v", row.RequestID, job.ID(), err)
	}
}

// The lease of an item is renewed while its worker is at it, and the work ends when it is
// lost.
func TestLease(t *testing.T) {
	t.Parallel()
	f := newFleet(t, faltest.RunTime(5*time.Second))
	f.insert(mugs(1)...)
	w := f.worker()
	w.Hold, w.Lease = 20*time.Second, 3*time.Second
	f.start(w, 1)
	holder := func() (lease string) {
		if err := f.pool.QueryRow(t.Context(), "SELECT coalesce(max(lease), '') FROM falimage_item WHERE batch = $1 AND leased_until > clock_timestamp()", f.j.Name()).Scan(&lease); err != nil {
			t.Fatal(err)
		}
		return lease
	}
	f.wait("the lease", func() bool { return holder() != "" })
	first := holder()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if now := holder(); now != first {
			t.Fatalf("the lease was not renewed: %q has it after %q", now, first)
		}
	}
	f.exec("UPDATE falimage_item SET lease = 'a thief', leased_until = clock_timestamp() + interval '10 minutes' WHERE batch = $1")
	f.wait("the end of the work", func() bool { return f.jobs()["running"] == 0 })
	if state := f.jobs(); state["completed"] != 0 {
		t.Errorf("%v", state)
	}
	f.exec("UPDATE falimage_item SET leased_until = NULL WHERE batch = $1")
	f.exec("UPDATE river_job SET state = 'available', scheduled_at = now() WHERE queue = $1 AND state <> 'running'")
	f.until("completed", 1)
	f.settle(1)
}

// All machines together keep the pace, and after a 429 all of them pause.
func TestPace(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.insert(mugs(10)...)
	f.srv.Inject(faltest.OpSubmit, faltest.TooManyRequests(1), 1)
	start := time.Now()
	for range 2 {
		w := f.worker()
		w.Every = 300 * time.Millisecond
		w.Runner.Client.Retry.MaxAttempts = 1 // it would wait by itself
		f.start(w, 8)
	}
	f.until("completed", 10)
	if took := time.Since(start); took < 3600*time.Millisecond {
		t.Errorf("10 items of 300 ms each and a pause of a second took %v", took)
	}
	f.settle(10)
}

// However long fal says to wait after a 429, the account pauses for an hour at most.
func TestLongestPause(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.insert(mugs(1)...)
	f.srv.Inject(faltest.OpSubmit, faltest.Answer(429, `{"detail":"slow"}`, "Retry-After", "90000"), 1)
	w := f.worker()
	w.Runner.Client.Retry.MaxAttempts = 1
	f.start(w, 1)
	f.until("scheduled", 1)
	var pause, wait float64 // seconds
	if err := f.pool.QueryRow(t.Context(), "SELECT extract(epoch FROM paused_until - now())::float FROM falimage_pace WHERE account = $1", f.j.Name()).Scan(&pause); err != nil {
		t.Fatal(err)
	}
	wait = time.Until(f.job("mug 0").ScheduledAt).Seconds()
	if pause < 3000 || pause > 3600 || wait < 3000 || wait > 4000 {
		t.Errorf("a pause of %.0f s, and the item waits %.0f s", pause, wait)
	}
}

// Fal calls when a job is done, and who is called completes the item, though it is no
// worker of River.
func TestWebhook(t *testing.T) {
	t.Parallel()
	f := newFleet(t, faltest.RunTime(400*time.Millisecond))
	hooks := f.worker().Receiver()
	receiver := httptest.NewServer(hooks)
	defer receiver.Close()
	address, err := f.j.Webhook(receiver.URL + "/fal?x=1")
	if err != nil {
		t.Fatal(err)
	}
	f.insert(mugs(4)...)
	w := f.worker()
	w.Runner.Webhook, w.Hold = address, -1
	f.start(w, 4)
	f.until("completed", 4)
	f.settle(4)
	ledger := f.srv.Ledger()
	if ledger.Webhooks < 4 {
		t.Errorf("%d webhooks", ledger.Webhooks)
	}
	if job := f.job("mug 0"); !strings.Contains(string(job.Metadata), `"state": "done"`) {
		t.Errorf("metadata %s", job.Metadata)
	}

	// Nobody else can name an item.
	u, err := url.Parse(address("mug 0"))
	if err != nil || u.Query().Get("x") != "1" {
		t.Fatal(u, err)
	}
	q := u.Query()
	q.Set("key", "mug 1")
	u.RawQuery = q.Encode()
	body := []byte(`{"request_id":"of-somebody-else","status":"OK","payload":{}}`)
	r := httptest.NewRequestWithContext(t.Context(), "POST", u.String(), strings.NewReader(string(body)))
	maps.Copy(r.Header, f.srv.SignWebhook("of-somebody-else", body))
	rec := httptest.NewRecorder()
	hooks.ServeHTTP(rec, r)
	if rec.Code == 200 {
		t.Error("a forged address was taken")
	}
	for _, bad := range []string{"", "example.com/x", "ftp://example.com", "http://%"} {
		if _, err := f.j.Webhook(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// What a webhook brought in time is not asked for: a worker takes the item as it stands.
func TestWebhookInTime(t *testing.T) {
	t.Parallel()
	var later atomic.Int64 // while it is 0, no job ends
	start := time.Now()
	f := newFleet(t, faltest.RunTime(time.Second), faltest.Clock(func() time.Time { return start.Add(time.Duration(later.Load())) }))
	receiver := httptest.NewServer(f.worker().Receiver())
	defer receiver.Close()
	address, err := f.j.Webhook(receiver.URL)
	if err != nil {
		t.Fatal(err)
	}
	items := mugs(4)
	f.insert(items...)
	w := f.worker()
	w.Runner.Webhook, w.Hold = address, -1
	work := func(ended bool) {
		for _, it := range items {
			job := &river.Job[riverbatch.Args[fal.Images]]{Args: riverbatch.Args[fal.Images]{Batch: f.j.Name(), Key: it.Key}}
			if err := w.Work(t.Context(), job); (err == nil) != ended {
				t.Errorf("%s: %v", it.Key, err)
			}
		}
	}
	work(false)
	later.Store(int64(time.Minute))
	f.wait("the webhooks", func() bool {
		var n int
		err := f.pool.QueryRow(t.Context(), "SELECT count(*) FROM falimage_item WHERE batch = $1 AND state = 'done' AND lease IS NULL", f.j.Name()).Scan(&n)
		return err == nil && n == len(items)
	})
	before := f.srv.Ledger()
	work(true)
	if diff := cmp.Diff(before, f.srv.Ledger()); diff != "" {
		t.Errorf("fal was asked (-before +after)\n%s", diff)
	}
	f.settle(len(items))
}

// A webhook completes an item whose answer was lost, also if no worker is there; one
// that is at work gets to know of it.
func TestReceived(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.insert(mugs(2)...)
	f.exec("UPDATE river_job SET state = 'scheduled', scheduled_at = now() + interval '1 hour' WHERE queue = $1")
	f.exec("UPDATE falimage_item SET lease = 'x', leased_until = now() + interval '1 hour' WHERE batch = $1 AND key = 'mug 1'")
	address, err := f.j.Webhook("http://127.0.0.1/fal")
	if err != nil {
		t.Fatal(err)
	}
	hooks := f.worker().Receiver()
	for i, want := range []struct {
		state  batch.State
		status int
	}{{batch.Done, 200}, {batch.Submitted, 500}} {
		it := mugs(2)[i]
		job, err := fal.Submit(t.Context(), f.srv.Client(), it.Request)
		if err != nil {
			t.Fatal(err)
		}
		lost := batch.Row{Key: it.Key, Revision: 1, State: batch.Unknown, Endpoint: string(it.Request.Endpoint()), Digest: "d-of-twelve-letters", Sent: time.Now()}
		if err := f.j.Put(t.Context(), lost); err != nil {
			t.Fatal(err)
		}
		body := fmt.Appendf(nil, `{"request_id":%q,"status":"OK"}`, job.ID())
		r := httptest.NewRequestWithContext(t.Context(), "POST", address(it.Key), strings.NewReader(string(body)))
		maps.Copy(r.Header, f.srv.SignWebhook(job.ID(), body))
		rec := httptest.NewRecorder()
		hooks.ServeHTTP(rec, r)
		row, _, err := f.j.Get(t.Context(), it.Key)
		if rec.Code != want.status || err != nil || row.RequestID != job.ID() || row.State != want.state || want.state == batch.Done && len(row.Files) != 1 {
			t.Errorf("%s: status %d, %+v, %v", it.Key, rec.Code, row, err)
		}
	}
	if diff := cmp.Diff(map[string]int{"available": 1, "scheduled": 1}, f.jobs()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What fails for good ends its job, what may do better is tried again, and what lacks
// money waits and says so.
func TestFailures(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.srv.InjectFor("fal-ai/flux/schnell", faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 1)
	f.srv.InjectFor("fal-ai/qwen-image", faltest.OpSubmit, faltest.LateFailure(500, "internal_server_error", "x"), 1)
	f.insert(mugs(2)...)
	f.start(f.worker(), 2)
	f.until("cancelled", 1)
	f.until("completed", 1)
	if job := f.job("mug 0"); len(job.Errors) != 1 || !strings.Contains(job.Errors[0].Error, "no") || !strings.Contains(string(job.Metadata), `"state": "failed"`) {
		t.Errorf("%+v %s", job.Errors, job.Metadata)
	}
	if job := f.job("mug 1"); len(job.Errors) != 1 || job.Attempt != 2 {
		t.Errorf("%+v", job)
	}

	poor := newFleet(t)
	poor.budget.Limit = pricing.Cent / 100
	poor.insert(mugs(1)...)
	poor.start(poor.worker(), 1)
	poor.until("scheduled", 1)
	if job := poor.job("mug 0"); !strings.Contains(string(job.Metadata), "there is") || len(job.Errors) != 0 {
		t.Errorf("%+v", job)
	}
	if n := poor.srv.Ledger().Posts; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// A result that is paid and not as wished ends its item when it is kept, and not before:
// a file that could not be fetched, or a row that could not be written, is tried again.
func TestKeptThoughFlagged(t *testing.T) {
	t.Parallel()
	for name, hinder := range map[string]func(f *fleet) (free func()){
		"files": func(f *fleet) func() {
			f.srv.Inject(faltest.OpDownload, faltest.Answer(503, "down"), 3)
			return func() {}
		},
		"row": func(f *fleet) func() {
			exec := func(sql string) {
				if _, err := f.pool.Exec(f.Context(), strings.ReplaceAll(sql, "BATCH", f.j.Name())); err != nil {
					f.Fatal(err)
				}
			}
			exec("CREATE FUNCTION full_BATCH() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$")
			exec("CREATE TRIGGER full_BATCH BEFORE UPDATE ON falimage_item FOR EACH ROW WHEN (NEW.batch = 'BATCH' AND NEW.state = 'done') EXECUTE FUNCTION full_BATCH()")
			return func() { exec("DROP FUNCTION full_BATCH CASCADE") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			free := hinder(f)
			f.srv.Inject(faltest.OpSubmit, faltest.NSFW(), 1)
			f.insert(batch.Item[fal.Images]{Key: "mug 0", Request: flux.Schnell{Prompt: "a mug", NumImages: 2, ImageSize: small}})
			w := f.worker()
			w.Runner.Options = []fal.Option{fal.RefuseFlagged()}
			f.start(w, 1)
			f.wait("a failure", func() bool { return len(f.job("mug 0").Errors) > 0 })
			free()
			f.wait("the end", func() bool { c, err := f.j.Counts(t.Context()); return err == nil && c.Finished == 1 })
			f.until("cancelled", 1) // with its error, as if it had been kept at once
			row, _, err := f.j.Get(t.Context(), "mug 0")
			if err != nil || row.State != batch.Done || !errors.Is(row.Err(), fal.ErrFlagged) || len(row.Files) != 2 || f.srv.Ledger().Submissions != 1 {
				t.Errorf("%s, files %v: %v", row.State, row.Files, err)
			}
		})
	}
}

// Mistakes in a worker are told before anything is sent.
func TestBadWorker(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	for name, c := range map[string]struct {
		change func(*riverbatch.Worker[fal.Images])
		want   string
	}{
		"no runner":       {func(w *riverbatch.Worker[fal.Images]) { w.Runner = nil }, "Runner"},
		"another journal": {func(w *riverbatch.Worker[fal.Images]) { w.Runner.Journal = batch.Memory() }, "riverbatch.Open"},
		"cancelling":      {func(w *riverbatch.Worker[fal.Images]) { w.Runner.CancelJobs = true }, "CancelJobs"},
		"lease":           {func(w *riverbatch.Worker[fal.Images]) { w.Lease = time.Second }, "2s"},
		"every":           {func(w *riverbatch.Worker[fal.Images]) { w.Every = -1 }, "negative"},
		"rescue":          {func(w *riverbatch.Worker[fal.Images]) { w.RescueEvery = -1 }, "negative"},
	} {
		w := f.worker()
		c.change(w)
		if err := w.Work(t.Context(), &river.Job[riverbatch.Args[fal.Images]]{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		w.Config(5)
	}
	w := f.worker()
	job := &river.Job[riverbatch.Args[fal.Images]]{Args: riverbatch.Args[fal.Images]{Batch: "other", Key: "x"}}
	if err := w.Work(t.Context(), job); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("another batch: %v", err)
	}
	job.Args.Batch = f.j.Name()
	if err := w.Work(t.Context(), job); err == nil || !strings.Contains(err.Error(), "does not have the item") {
		t.Errorf("no item: %v", err)
	}
	if _, err := river.NewClient(riverpgxv5.New(f.pool), w.Config(5)); err != nil {
		t.Error(err)
	}
}
