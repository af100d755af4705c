package batch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// What the journal cannot keep is told once. If it is the intent, nothing was sent.
func TestJournalFails(t *testing.T) {
	t.Parallel()
	for kept, want := range map[int]fal.Billing{0: fal.NotBilled, 1: fal.BillingUnknown, 2: fal.BillingUnknown} {
		srv := faltest.NewServer(t)
		run := &batch.Runner{Client: quick(srv), Journal: &mortal{Journal: batch.Memory(), left: kept}}
		res, err := batch.Step(t.Context(), run, mug("a"))
		if res.Revision != int64(kept) {
			t.Errorf("%d rows are kept, and it tells of revision %d", kept, res.Revision)
		}
		if err == nil || strings.Count(err.Error(), "the program has ended") != 1 {
			t.Errorf("%d rows are kept: %v", kept, err)
		}
		if fal.Charged(err) != want || fal.NotSent(err) != (want == fal.NotBilled) || (srv.Ledger().Posts == 0) != (want == fal.NotBilled) {
			t.Errorf("%d rows are kept, %d posts: %v, %v", kept, srv.Ledger().Posts, fal.Charged(err), err)
		}
	}
}

// Nothing is sent again by a proof that the journal does not keep.
func TestAbsenceIsKept(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.Reset(), 1)
	j := batch.Memory()
	if res, err := batch.Step(t.Context(), &batch.Runner{Client: quick(srv), Journal: j}, mug("a")); res.State != batch.Unknown {
		t.Fatal(res.State, err)
	}
	full := errors.New("the disk is full")
	run := &batch.Runner{Client: quick(srv), Journal: refusing{j, batch.Failed, full}, Reconcile: func(context.Context, *fal.OutcomeUnknownError) (string, error) {
		return "", absentError{errors.New("it is not there")}
	}}
	if _, err := batch.Step(t.Context(), run, mug("a")); !errors.Is(err, full) || srv.Ledger().Posts != 1 {
		t.Errorf("%d posts: %v", srv.Ledger().Posts, err)
	}
	if got := states(t, j)["a"]; got != batch.Unknown {
		t.Errorf("it is %s", got)
	}
}

// refusing is a journal that does not keep rows of a state.
type refusing struct {
	batch.Journal

	state batch.State
	why   error
}

func (j refusing) Put(ctx context.Context, row batch.Row) error {
	if row.State == j.state {
		return j.why
	}
	return j.Journal.Put(ctx, row)
}

// A guard of the options is told of a job that is taken up, and the client's, which was
// not asked, is not.
func TestGuardOfOptions(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(run *batch.Runner, it *item, o fal.Option){
		"runner": func(run *batch.Runner, _ *item, o fal.Option) { run.Options = []fal.Option{o} },
		"item":   func(_ *batch.Runner, it *item, o fal.Option) { it.Options = []fal.Option{o} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t, faltest.QueueTime(20*time.Millisecond))
			path, kept := filepath.Join(t.TempDir(), "ledger"), batch.Memory()
			step := func(leaves bool) (own, other spend.Total, state batch.State) {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				j := raced{kept, func(_ batch.Journal, row batch.Row) {
					if leaves && row.State == batch.Submitted {
						leave()
					}
				}}
				ledger, err := spend.OpenLedger(path)
				if err != nil {
					t.Fatal(err)
				}
				elsewhere := new(spend.Ledger)
				client := quick(srv)
				client.Guard = &spend.Budget{Ledger: elsewhere}
				run, it := &batch.Runner{Client: client, Journal: j}, mug("a")
				of(run, &it, fal.WithGuard(&spend.Budget{Ledger: ledger}))
				res, _ := batch.Step(ctx, run, it)
				own, other = ledger.Totals().All, elsewhere.Totals().All
				if err := ledger.Close(); err != nil {
					t.Error(err)
				}
				return own, other, res.State
			}
			const price = 3 * pricing.Cent / 10
			own, other, state := step(true)
			if own.Reserved != price || own.Billed != 0 || other != (spend.Total{}) || state != batch.Submitted {
				t.Errorf("%s: %+v, and %+v of the client", state, own, other)
			}
			own, other, state = step(false)
			if own.Reserved != 0 || own.Billed != price || other != (spend.Total{}) || state != batch.Done {
				t.Errorf("%s: %+v, and %+v of the client", state, own, other)
			}
		})
	}
}

// A guard that knows nothing of journals is told of a job that is cancelled since the
// context ended while it was submitted.
func TestPlainGuardOfCancelled(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(5*time.Second))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	client, guard := quick(srv), new(plainGuard)
	client.HTTPClient, client.Guard = &http.Client{Transport: leaving(stop)}, guard
	if res, err := batch.Step(ctx, &batch.Runner{Client: client, CancelJobs: true}, mug("a")); res.State != batch.Failed || fal.Charged(err) != fal.NotBilled || !errors.Is(res.Err(), fal.ErrCancelled) {
		t.Errorf("%s: %v", res.State, err)
	}
	if diff := cmp.Diff([]string{"reserve", "accepted", "released"}, guard.told); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Fal is asked to call again until all files of an item are saved, also of one that were
// saved before and are gone; what else is wrong with it does not matter.
func TestDeliverUntilSaved(t *testing.T) {
	t.Parallel()
	for _, flagged := range []bool{false, true} {
		srv := faltest.NewServer(t)
		if flagged {
			srv.Inject(faltest.OpSubmit, faltest.NSFW(), 1)
		}
		run := &batch.Runner{Client: quick(srv), Journal: batch.Memory(), Dir: t.TempDir(), Options: []fal.Option{fal.RefuseFlagged()}}
		res, err := batch.Step(t.Context(), run, mug("a"))
		if errors.Is(err, fal.ErrFlagged) != flagged || len(res.Files) != 1 {
			t.Fatal(res.Files, err)
		}
		deliver := func() error {
			_, err := batch.Deliver[fal.Images](t.Context(), run, "a", &webhook.Event{RequestID: res.RequestID})
			return err
		}
		if err := deliver(); err != nil {
			t.Errorf("flagged %v, and saved: %v", flagged, err)
		}
		path := filepath.Join(run.Dir, res.Files[0].Name)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		takeBack := srv.Inject(faltest.OpDownload, faltest.Answer(404, "gone"), 100)
		if err := deliver(); err == nil {
			t.Errorf("flagged %v: its file is gone, and fal need not call again", flagged)
		}
		takeBack()
		if err := deliver(); err != nil {
			t.Errorf("flagged %v: %v", flagged, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// The history is asked for what the queue has no more. A job of which the status said that
// it failed has failed, though the history does not have it either.
func TestRecoverIsAsked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		submit, result faltest.Fault
		status         int // that Recover returns
		want           batch.State
		asked          int
	}{
		"not found by the model": {submit: faltest.LateFailure(404, "not_found", "no such LoRA"), want: batch.Failed, asked: 1},
		"gone":                   {result: faltest.Answer(410, `{"detail":"gone"}`), status: 200, want: batch.Done, asked: 1},
		"not found":              {result: faltest.Answer(404, `{"detail":"no"}`), status: 200, want: batch.Done, asked: 1},
		"failed, no more known":  {result: faltest.Answer(404, `{"detail":"no"}`), status: 422, want: batch.Failed, asked: 1},
		"refused":                {result: faltest.Answer(403, `{"detail":"no"}`), want: batch.Submitted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			if tt.status == 0 && tt.want == batch.Failed {
				srv.Inject(faltest.OpSubmit, tt.submit, 1)
			} else {
				srv.Inject(faltest.OpResult, tt.result, 50)
			}
			asked := 0
			run := &batch.Runner{Client: quick(srv), Recover: func(context.Context, string, string) (int, json.RawMessage, error) {
				asked++
				switch tt.status {
				case 0:
					return 0, nil, errors.New("the history is not there")
				case 200:
					return 200, json.RawMessage(`{"images":[{"url":"https://v3.fal.media/a.png"}]}`), nil
				}
				return tt.status, nil, nil
			}}
			res, err := batch.Step(t.Context(), run, mug("a"))
			if res.State != tt.want || asked != tt.asked || (err == nil) != (tt.want == batch.Done) {
				t.Errorf("%s, asked %d times: %v", res.State, asked, err)
			}
			if tt.status == 422 && (res.Failure.Status != 422 || !strings.Contains(fmt.Sprint(err), "422")) {
				t.Errorf("%+v: %v", res.Failure, err)
			}
		})
	}
}

// A folder is made so that its owner can read and write in it, as are those of a template.
func TestFolders(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	run := &batch.Runner{Client: quick(srv), Dir: dir, Name: "c/d/{key}{-n}{ext}"}
	if _, err := batch.Step(t.Context(), run, mug("a")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Dir(dir), filepath.Join(dir, "c"), filepath.Join(dir, "c", "d")} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o700 != 0o700 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(dir)))
		}
		return err
	})
	if diff := cmp.Diff([]string{"/c/d/a.jpg"}, names); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

// It is looked ten times for a job that is no other item's: whoever finds that of another
// one each time does not know.
func TestLooksForAnother(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	j := batch.Memory()
	for i := range 12 {
		row := batch.Row{Key: strconv.Itoa(i), Revision: 1, Endpoint: "a/b", Digest: "x", State: batch.Done, RequestID: fmt.Sprint("job", i)}
		if err := j.Put(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	var not []int
	run := &batch.Runner{Client: quick(srv), Journal: j, Reconcile: func(_ context.Context, lost *fal.OutcomeUnknownError) (string, error) {
		not = append(not, len(lost.Not))
		return fmt.Sprint("job", len(lost.Not)), nil
	}}
	res, err := batch.Step(t.Context(), run, mug("a"))
	if res.State != batch.Unknown || res.RequestID != "" || fal.NotSent(err) || fal.Charged(err) != fal.BillingUnknown {
		t.Errorf("%s %q: %v", res.State, res.RequestID, err)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, not); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What has no key has one by its request, which is the same in every program and of every
// version: with another one it would be sent and paid again.
func TestKeyStays(t *testing.T) {
	t.Parallel()
	key, err := batch.Key(fal.Request[fal.Images](fal.Call[fal.Images]{ID: "a/b", Input: map[string]any{"prompt": "a mug"}}))
	if want := "03f753ba5620abca398fc83b3a0217cb"; key != want || err != nil {
		t.Errorf("%q, %v", key, err)
	}
}

// gateway passes submits on and answers 502, with the id of the job, and so does whoever
// asks for a job as long as it is down.
type gateway struct{ down bool }

func (g *gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.Method != http.MethodPost && (!g.down || !strings.Contains(r.URL.Path, "/requests/")) {
		return resp, err
	}
	var answer struct {
		ID string `json:"request_id"`
	}
	_ = json.NewDecoder(resp.Body).Decode(&answer)
	header := http.Header{"X-Fal-Request-Id": {answer.ID}, "Date": resp.Header["Date"]}
	return &http.Response{StatusCode: http.StatusBadGateway, Header: header, Body: http.NoBody, Request: r}, resp.Body.Close()
}

// The id that came with an answer that says nothing is kept until fal can be asked for it:
// by the next step, or by who is called.
func TestIDSurvives(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]string{"asked for": "", "called": "its own", "called for another": "another's"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			g, j := &gateway{down: true}, written{batch.Memory()}
			client := quick(srv)
			client.HTTPClient, client.Retry.MaxAttempts = &http.Client{Transport: g}, 1
			res, err := batch.Step(t.Context(), &batch.Runner{Client: client, Journal: j}, mug("a"))
			id := srv.Ledger().Bills[0].RequestID
			if res.State != batch.Unknown || res.RequestID != id || fal.RequestID(err) != id || fal.RequestID(res.Err()) != id {
				t.Fatalf("%s %s: %v", res.State, res.RequestID, err)
			}
			g.down = false
			run := &batch.Runner{Client: client, Journal: j}
			if call != "" {
				other, err := fal.Submit(t.Context(), quick(srv), mug("a").Request)
				if err != nil {
					t.Fatal(err)
				}
				if call == "another's" { // it may have been a job of the gateway's own
					id = other.ID()
				}
				if _, err := batch.Deliver[fal.Images](t.Context(), run, "a", &webhook.Event{RequestID: id}); err != nil {
					t.Error(err)
				}
			}
			posts := srv.Ledger().Posts
			res, err = batch.Step(t.Context(), run, mug("a"))
			if err != nil || res.State != batch.Done || res.RequestID != id || res.Kept == (call == "") || srv.Ledger().Posts != posts {
				t.Errorf("%s %s, %d posts: %v", res.State, res.RequestID, srv.Ledger().Posts, err)
			}
		})
	}
}

// What fal refused is sent again as it was, byte by byte, with what was uploaded for it;
// unless it was refused since that is gone.
func TestSentAgain(t *testing.T) {
	t.Parallel()
	for errorType, uploads := range map[string]int{"file_download_error": 2, "another": 1} {
		srv := faltest.NewServer(t)
		srv.Inject(faltest.OpSubmit, faltest.Answer(422, `{"detail":[{"type":"`+errorType+`","msg":"no","loc":["body","image_url"]}]}`), 1)
		var payloads []string
		run := &batch.Runner{Client: quick(srv), Journal: recorder{batch.Memory(), &payloads}}
		it := item{Key: "a", Request: flux.KontextPro{Prompt: "a hat", ImageURL: fal.Bytes(pngOf(t, 8))}}
		if res, err := batch.Step(t.Context(), run, it); res.State != batch.Failed || res.Failure.Type != errorType {
			t.Fatal(res.State, err)
		}
		res, err := batch.Step(t.Context(), run, it)
		if l := srv.Ledger(); err != nil || res.State != batch.Done || l.Uploads != uploads || l.Posts != 2 {
			t.Errorf("%s: %s after %d uploads and %d posts: %v", errorType, res.State, l.Uploads, l.Posts, err)
		}
		if len(payloads) != 2 || (payloads[0] == payloads[1]) != (uploads == 1) {
			t.Errorf("%s: %q", errorType, payloads)
		}
	}
}

// Two programs have the same result, of which one has saved the files: these stay on record,
// whoever is first.
func TestFilesStay(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	first := true
	j := raced{batch.Memory(), func(j batch.Journal, row batch.Row) {
		if len(row.Files) > 0 && first {
			first = false
			row.Files = nil
			if err := j.Put(t.Context(), row); err != nil {
				t.Error(err)
			}
		}
	}}
	run := &batch.Runner{Client: quick(srv), Journal: j, Dir: t.TempDir()}
	res, err := batch.Step(t.Context(), run, mug("a"))
	row, _, problem := j.Get(t.Context(), "a")
	if err != nil || problem != nil || first || len(res.Files) != 1 || row.Revision != 5 {
		t.Errorf("%+v: %v, %v", row, err, problem)
	}
	if diff := cmp.Diff(res.Row, row); diff != "" {
		t.Errorf("(-told +kept)\n%s", diff)
	}
}

// By what name a ledger has an item is the same in every process.
func TestReservationName(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
	client, ledger := quick(srv), new(spend.Ledger)
	client.Guard = &spend.Budget{Ledger: ledger}
	res, _ := batch.Step(t.Context(), &batch.Runner{Client: client}, mug("a"))
	open := ledger.Open()
	if len(open) != 1 || sums.ReplaceAllString(open[0].ID, "-x") != "batch-x-x" || !strings.HasSuffix(open[0].ID, "-"+res.Digest[:12]) {
		t.Errorf("%+v of digest %s", open, res.Digest)
	}
}

// A folder in which nothing can be written is refused before anything is sent.
func TestFolderNotWritable(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".writable", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := batch.Step(t.Context(), &batch.Runner{Client: quick(srv), Dir: dir}, mug("a"))
	if !fal.NotSent(err) || !strings.Contains(fmt.Sprint(err), "nothing can be saved there") || srv.Ledger().Posts != 0 {
		t.Errorf("%d posts: %v", srv.Ledger().Posts, err)
	}
}

// Of what is no JSON nothing is kept as a result.
func TestNoResult(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpResult, faltest.Answer(404, `{"detail":"no"}`), 50)
	run := &batch.Runner{Client: quick(srv), Recover: func(context.Context, string, string) (int, json.RawMessage, error) {
		return 200, json.RawMessage("a page"), nil
	}}
	res, err := batch.Step(t.Context(), run, mug("a"))
	if _, broken := errors.AsType[*fal.DecodeError](err); !broken || len(res.Result) > 0 || res.Failure == nil {
		t.Errorf("%s: %s, %v", res.State, res.Result, err)
	}
}
