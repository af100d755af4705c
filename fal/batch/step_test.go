package batch_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

type item = batch.Item[fal.Images]

func mug(key string) item {
	return item{Key: key, Request: flux.Schnell{Prompt: "a mug, " + key, ImageSize: fal.Size(256, 256)}}
}

// quick returns a client that does not wait long.
func quick(srv *faltest.Server) *fal.Client {
	c := srv.Client()
	c.Retry = fal.Retry{MinWait: time.Millisecond, MaxWait: 2 * time.Millisecond}
	return c
}

func states(t *testing.T, j batch.Journal) map[string]batch.State {
	t.Helper()
	out := make(map[string]batch.State)
	for row, err := range j.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out[row.Key] = row.State
	}
	return out
}

// A step that is done again returns what is there, and sends and fetches nothing.
func TestStepTwice(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	run := &batch.Runner{Client: quick(srv), Journal: batch.Memory(), Dir: t.TempDir()}
	first, err := batch.Step(t.Context(), run, mug("a"))
	if err != nil {
		t.Fatal(err)
	}
	if first.State != batch.Done || first.Kept || len(first.Files) != 1 || first.Files[0].Name != "a.jpg" || first.Units == "" || first.RequestID == "" || first.Payload != nil {
		t.Errorf("%+v", first.Row)
	}
	again := &batch.Runner{Client: quick(srv), Journal: run.Journal, Dir: run.Dir}
	second, err := batch.Step(t.Context(), again, mug("a"))
	if err != nil || !second.Kept {
		t.Fatalf("kept %v, %v", second.Kept, err)
	}
	if diff := cmp.Diff(first.Row, second.Row); diff != "" {
		t.Errorf("(-first +second)\n%s", diff)
	}
	if diff := cmp.Diff(first.Out, second.Out); diff != "" {
		t.Errorf("(-first +second)\n%s", diff)
	}
	if l := srv.Ledger(); l.Posts != 1 || l.Downloads != 1 {
		t.Errorf("%d posts, %d downloads", l.Posts, l.Downloads)
	}
	// A file that is gone or cut off is fetched again.
	path := filepath.Join(run.Dir, "a.jpg")
	if err := os.Truncate(path, 3); err != nil {
		t.Fatal(err)
	}
	third, err := batch.Step(t.Context(), again, mug("a"))
	if err != nil || srv.Ledger().Downloads != 2 || srv.Ledger().Posts != 1 {
		t.Fatalf("%v: %+v", err, srv.Ledger())
	}
	if info, err := os.Stat(path); err != nil || info.Size() != third.Files[0].Bytes {
		t.Errorf("%v %v", info, err)
	}
}

// The same key with another request is refused, and the same request without a key
// is the same item.
func TestKeys(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	run := &batch.Runner{Client: quick(srv)}
	if _, err := batch.Step(t.Context(), run, mug("a")); err != nil {
		t.Fatal(err)
	}
	for name, it := range map[string]item{
		"another prompt": {Key: "a", Request: flux.Schnell{Prompt: "a fox"}},
		"another model":  {Key: "a", Request: qwen.Image{Prompt: "a mug, a"}},
	} {
		_, err := batch.Step(t.Context(), run, it)
		conflict, ok := errors.AsType[*batch.ConflictError](err)
		if !ok || !fal.NotSent(err) || !strings.Contains(err.Error(), `"a"`) || conflict.Has != string(it.Request.Endpoint()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	same := item{Request: flux.Schnell{Prompt: "a mug, a", ImageSize: fal.Size(256, 256)}}
	first, err := batch.Step(t.Context(), run, same)
	second, again := batch.Step(t.Context(), run, same)
	if err != nil || again != nil || first.Key == "" || first.Key != second.Key || first.Kept || !second.Kept {
		t.Errorf("%q %v, %q %v", first.Key, err, second.Key, again)
	}
	if srv.Ledger().Posts != 2 {
		t.Errorf("%d posts", srv.Ledger().Posts)
	}
	for name, it := range map[string]item{"nil": {Key: "b"}, "too long": {Key: strings.Repeat("x", 2000), Request: same.Request}} {
		if _, err := batch.Step(t.Context(), run, it); !fal.NotSent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Local files count by their content, wherever they are.
func TestLocalFiles(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	run := &batch.Runner{Client: quick(srv)}
	picture := func(content []byte) item {
		path := filepath.Join(t.TempDir(), "in.png")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return item{Key: "a", Request: flux.KontextPro{Prompt: "a hat", ImageURL: fal.Path(path)}}
	}
	one, two := pngOf(t, 8), pngOf(t, 9)
	for _, content := range [][]byte{one, one} {
		if _, err := batch.Step(t.Context(), run, picture(content)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := batch.Step(t.Context(), run, picture(two)); !fal.NotSent(err) {
		t.Errorf("another picture: %v", err)
	}
	if l := srv.Ledger(); l.Posts != 1 || l.Uploads != 1 {
		t.Errorf("%+v", l)
	}
}

// An answer that is lost leaves the item unknown; it is never sent again but for a
// proof, and then as it was.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		fault     faltest.Fault
		found     bool // what the history says then
		absent    bool
		wantState batch.State
		wantJobs  int
		wantPosts int
	}{
		{name: "nobody knows", fault: faltest.LostAnswer(), wantState: batch.Unknown, wantJobs: 1, wantPosts: 1},
		{name: "found", fault: faltest.LostAnswer(), found: true, wantState: batch.Done, wantJobs: 1, wantPosts: 1},
		{name: "absent", fault: faltest.Reset(), absent: true, wantState: batch.Done, wantJobs: 1, wantPosts: 2},
		{name: "gateway", fault: faltest.Answer(503, "down"), absent: true, wantState: batch.Done, wantJobs: 1, wantPosts: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			srv.Inject(faltest.OpSubmit, tt.fault, 1)
			var payloads []string
			j := batch.Memory()
			run := &batch.Runner{Client: quick(srv), Journal: j}
			_, err := batch.Step(t.Context(), run, mug("a"))
			lost, ok := errors.AsType[*fal.OutcomeUnknownError](err)
			if !ok || states(t, j)["a"] != batch.Unknown {
				t.Fatalf("%v: %v", states(t, j), err)
			}
			payloads = append(payloads, string(lost.Payload()))
			run = &batch.Runner{Client: quick(srv), Journal: recorder{j, &payloads}, Reconcile: func(_ context.Context, lost *fal.OutcomeUnknownError) (string, error) {
				payloads = append(payloads, string(lost.Payload()))
				switch {
				case tt.found:
					return srv.Ledger().Bills[0].RequestID, nil
				case tt.absent:
					return "", absentError{errors.New("it is not there")}
				}
				return "", errors.New("the history cannot be read")
			}}
			res, err := batch.Step(t.Context(), run, mug("a"))
			if (err == nil) != (tt.wantState == batch.Done) || res.State != tt.wantState {
				t.Errorf("%s: %v", res.State, err)
			}
			if l := srv.Ledger(); l.Submissions != tt.wantJobs || l.Posts != tt.wantPosts {
				t.Errorf("%d jobs, %d posts", l.Submissions, l.Posts)
			}
			if all := slices.Compact(payloads); len(all) != 1 || !strings.Contains(all[0], `"seed":`) {
				t.Errorf("what was sent: %q", all)
			}
		})
	}
}

type absentError struct{ error }

func (absentError) NotSent() bool { return true }

// recorder notes the payloads of intents.
type recorder struct {
	batch.Journal
	payloads *[]string
}

func (r recorder) Put(ctx context.Context, row batch.Row) error {
	if row.State == batch.Intent {
		*r.payloads = append(*r.payloads, string(row.Payload))
	}
	return r.Journal.Put(ctx, row)
}

// A program may end between any two writes to the journal, and at each of them:
// nothing is sent twice, and nothing is lost that was sent.
func TestEndsAnywhere(t *testing.T) {
	t.Parallel()
	for n := range 8 {
		for _, written := range []bool{false, true} {
			t.Run(fmt.Sprintf("put %d, written %v", n, written), func(t *testing.T) {
				t.Parallel()
				srv := faltest.NewServer(t)
				mortal := &mortal{Journal: batch.Memory(), left: n, written: written}
				dir := t.TempDir()
				_, _ = batch.Step(t.Context(), &batch.Runner{Client: quick(srv), Journal: mortal, Dir: dir}, mug("a"))
				run := &batch.Runner{Client: quick(srv), Journal: mortal.Journal, Dir: dir, Reconcile: func(context.Context, *fal.OutcomeUnknownError) (string, error) {
					if bills := srv.Ledger().Bills; len(bills) > 0 {
						return bills[0].RequestID, nil
					}
					return "", absentError{errors.New("absent")}
				}}
				res, err := batch.Step(t.Context(), run, mug("a"))
				if err != nil || res.State != batch.Done || res.Units == "" && n > 2 {
					t.Fatalf("%v %+v", err, res.Row)
				}
				files, _ := filepath.Glob(filepath.Join(dir, "*"))
				if srv.Ledger().Submissions != 1 || len(files) != 1 || len(res.Files) != 1 {
					t.Errorf("%d jobs, files %q", srv.Ledger().Submissions, files)
				}
			})
		}
	}
}

// mortal is a journal whose program ends at a write: what comes after it fails too,
// and the write itself may have been the last thing that was done.
type mortal struct {
	batch.Journal
	written bool

	mu   sync.Mutex
	left int
}

func (m *mortal) Put(ctx context.Context, row batch.Row) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left--; m.left >= 0 {
		return m.Journal.Put(ctx, row)
	}
	if m.left == -1 && m.written {
		_ = m.Journal.Put(ctx, row)
	}
	return errors.New("the program has ended")
}

// What failed is returned with its error, and sent again only if it was not charged.
func TestFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		op         faltest.Op
		fault      faltest.Fault
		again      bool
		wantBilled fal.Billing
	}{
		{"refused", faltest.OpSubmit, faltest.LockedAccount(), true, fal.NotBilled},
		{"fal's own failure", faltest.OpSubmit, faltest.LateFailure(500, "internal_server_error", "failed"), true, fal.NotBilled},
		{"content policy", faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), false, fal.Billed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			srv.Inject(tt.op, tt.fault, 1)
			run := &batch.Runner{Client: quick(srv)}
			res, err := batch.Step(t.Context(), run, mug("a"))
			if err == nil || res.State != batch.Failed || fal.Charged(err) != tt.wantBilled {
				t.Fatalf("%s, %v: %v", res.State, fal.Charged(err), err)
			}
			second, again := batch.Step(t.Context(), run, mug("a"))
			if tt.again != (again == nil) || second.Kept == tt.again {
				t.Fatalf("kept %v: %v", second.Kept, again)
			}
			if !tt.again && (again.Error() != err.Error() || fal.Charged(again) != tt.wantBilled || fal.RequestID(again) != fal.RequestID(err) || !errors.Is(again, fal.ErrContentPolicy)) {
				t.Errorf("first  %v\nsecond %v", err, again)
			}
		})
	}
}

// A flagged picture is paid, on record and saved, and the error comes again.
func TestFlagged(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.NSFW(), 1)
	run := &batch.Runner{Client: quick(srv), Options: []fal.Option{fal.RefuseFlagged()}, Dir: t.TempDir()}
	for i := range 2 {
		res, err := batch.Step(t.Context(), run, mug("a"))
		if !errors.Is(err, fal.ErrFlagged) || fal.Charged(err) != fal.Billed || res.Out == nil || res.State != batch.Done || len(res.Files) != 1 || len(res.Out.Warnings) == 0 {
			t.Errorf("%d: %v, %+v", i, err, res.Row)
		}
	}
	if srv.Ledger().Posts != 1 {
		t.Errorf("%d posts", srv.Ledger().Posts)
	}
}

// A job that is taken up is held against its request as by the program that sent it: by
// the next step, or by who is called.
func TestFlaggedWhenTakenUp(t *testing.T) {
	t.Parallel()
	for _, called := range []bool{false, true} {
		t.Run(fmt.Sprint("called ", called), func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t, faltest.QueueTime(200*time.Millisecond))
			srv.Inject(faltest.OpSubmit, faltest.NSFW(), 1)
			updates := 0
			run := &batch.Runner{Client: quick(srv), Options: []fal.Option{fal.RefuseFlagged()}}
			it := mug("a")
			it.Options = []fal.Option{fal.WithUpdates(func(fal.Status) { updates++ })}
			ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer leave()
			first, err := batch.Step(ctx, run, it)
			if first.State != batch.Submitted {
				t.Fatalf("%s: %v", first.State, err)
			}
			updates = 0
			var res batch.Result[fal.Images]
			if called {
				time.Sleep(150 * time.Millisecond)
				res, err = batch.Deliver[fal.Images](t.Context(), run, "a", &webhook.Event{RequestID: first.RequestID})
			} else {
				res, err = batch.Step(t.Context(), run, it)
			}
			if errors.Is(err, fal.ErrFlagged) == called || !errors.Is(res.Err(), fal.ErrFlagged) || res.State != batch.Done || (updates > 0) == called {
				t.Errorf("%s, %d updates: %v, %v", res.State, updates, err, res.Err())
			}
		})
	}
}

// When the context ends the job goes on, and the next step takes it up; or it is
// cancelled, and then sent again.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	for _, cancels := range []bool{false, true} {
		t.Run(fmt.Sprint("cancels ", cancels), func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t, faltest.QueueTime(300*time.Millisecond))
			run := &batch.Runner{Client: quick(srv), CancelJobs: cancels}
			ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer stop()
			res, err := batch.Step(ctx, run, mug("a"))
			if !errors.Is(err, context.DeadlineExceeded) || (res.State == batch.Submitted) == cancels || (fal.Charged(err) == fal.NotBilled) != cancels {
				t.Fatalf("%s: %v", res.State, err)
			}
			second, err := batch.Step(t.Context(), run, mug("a"))
			if err != nil || second.State != batch.Done || (second.RequestID == res.RequestID) == cancels {
				t.Errorf("%s: %v", second.State, err)
			}
		})
	}
}

// A webhook may bring the request id of an answer that was lost.
func TestReceived(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	j := batch.Memory()
	run := &batch.Runner{Client: quick(srv), Journal: j, Webhook: func(key string) string { return "https://example.com/done?key=" + key }}
	if _, err := batch.Step(t.Context(), run, mug("a")); err == nil {
		t.Fatal("the answer was not lost")
	}
	bill := srv.Ledger().Bills[0]
	if err := batch.Received(t.Context(), j, "b", "id"); err == nil {
		t.Error("a key that is not there was accepted")
	}
	for range 2 {
		if err := batch.Received(t.Context(), j, "a", bill.RequestID); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(fmt.Sprint(bill.Query), "key=a") {
		t.Errorf("the address does not tell the key: %v", bill.Query)
	}
	if res, err := batch.Step(t.Context(), run, mug("a")); err != nil || res.State != batch.Done {
		t.Errorf("%s %v", res.State, err)
	}
}

// What somebody else notes of an item meanwhile is agreed with: who knows the request
// id is right.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault bool        // the answer to the submit is lost
		at    batch.State // when we note this,
		other batch.State // somebody else has noted that
		want  batch.State
	}{
		{"the webhook came before the answer", false, batch.Submitted, batch.Submitted, batch.Done},
		{"another took it for lost", false, batch.Submitted, batch.Unknown, batch.Done},
		{"the webhook came where we know nothing", true, batch.Unknown, batch.Submitted, batch.Done},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			if tt.fault {
				srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
			}
			j := &faster{Journal: batch.Memory(), at: tt.at, note: func(row *batch.Row) {
				if row.State = tt.other; tt.other == batch.Submitted {
					row.RequestID = srv.Ledger().Bills[0].RequestID
				}
			}}
			res, err := batch.Step(t.Context(), &batch.Runner{Client: quick(srv), Journal: j}, mug("a"))
			if err != nil || res.State != tt.want || states(t, j)["a"] != tt.want || srv.Ledger().Posts != 1 {
				t.Errorf("%s, %v: %v", res.State, states(t, j), err)
			}
		})
	}
	// Another job for the same item is a conflict.
	srv := faltest.NewServer(t)
	j := &faster{Journal: batch.Memory(), at: batch.Submitted, note: func(row *batch.Row) { row.State, row.RequestID = batch.Submitted, "another" }}
	if _, err := batch.Step(t.Context(), &batch.Runner{Client: quick(srv), Journal: j}, mug("a")); !errors.Is(err, batch.ErrConflict) {
		t.Errorf("two jobs: %v", err)
	}
}

// faster is a journal in which somebody else notes something before a row of a state.
type faster struct {
	batch.Journal
	at   batch.State
	note func(*batch.Row)
}

func (f *faster) Put(ctx context.Context, row batch.Row) error {
	if old, ok, _ := f.Get(ctx, row.Key); ok && row.State == f.at && f.note != nil {
		f.note(&old)
		old.Revision++
		f.note = nil
		if err := f.Journal.Put(ctx, old); err != nil {
			return err
		}
	}
	return f.Journal.Put(ctx, row)
}

// A result without a type of its own is kept as it came.
func TestRaw(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	run := &batch.Runner{Client: quick(srv)}
	it := batch.Item[json.RawMessage]{Key: "a", Request: fal.Raw(flux.Schnell{Prompt: "a mug"})}
	first, err := batch.Step(t.Context(), run, it)
	second, again := batch.Step(t.Context(), run, it)
	if err != nil || again != nil || string(*first.Out) != string(*second.Out) || first.Units == "" {
		t.Errorf("%v, %v", err, again)
	}
}

// A file is named by what it is, whatever the result says of it.
func TestNamedByBytes(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	picture := base64.StdEncoding.EncodeToString(pngOf(t, 8))
	srv.Handle("x/y", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"images":[{"url":"data:image/webp;base64,%s","content_type":"image/webp"}]}`, picture)
	})
	run := &batch.Runner{Client: quick(srv), Dir: t.TempDir()}
	r, err := batch.Step(t.Context(), run, item{Key: "a", Request: fal.Call[fal.Images]{ID: "x/y", Input: map[string]any{}}})
	if err != nil || len(r.Files) != 1 || r.Files[0].Name != "a.png" {
		t.Errorf("%+v, %v", r.Files, err)
	}
}

// A file that cannot be fetched is told, does not cost the others, and is fetched
// by the next step, which names files by their request as well.
func TestFileMissing(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	j, dir := batch.Memory(), t.TempDir()
	run := &batch.Runner{Client: quick(srv), Journal: j, Dir: dir, Name: "{id}/{key}-{n}{ext}"}
	it := item{Key: "a", Request: flux.Schnell{Prompt: "two mugs", NumImages: 2, ImageSize: fal.Size(256, 256)}}
	srv.Inject(faltest.OpDownload, faltest.Answer(http.StatusNotFound, "gone"), 1)
	r, err := batch.Step(t.Context(), run, it)
	if err == nil || !strings.Contains(err.Error(), "file 1 of request "+r.RequestID+" is not saved") || r.Out == nil || len(r.Files) != 0 {
		t.Errorf("%+v, %v", r.Files, err)
	}
	r, err = batch.Step(t.Context(), run, it)
	if err != nil || len(r.Files) != 2 || srv.Ledger().Posts != 1 {
		t.Fatalf("%+v, %v", r.Files, err)
	}
	for i, f := range r.Files {
		if want := fmt.Sprintf("%s/a-%d.jpg", r.RequestID, i+1); f.Name != want {
			t.Errorf("file %d is %s, want %s", i+1, f.Name, want)
		}
	}
}
