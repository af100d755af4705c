package faltest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
)

var update = flag.Bool("update", false, "write testdata/exchanges.txt anew")

// transcript writes down exchanges as they go over the wire.
type transcript struct {
	exchange
	bytes.Buffer
}

var ids = regexp.MustCompile(`[0-9a-f]{8}-fa1e-4000-8000-(\d{12})`)

// say sends a request and writes it and its answer down: status, headers of
// fal's own, and body. Ids and addresses are made the same for every server.
func (s *transcript) say(title, method, address, body string, header ...string) map[string]any {
	s.t.Helper()
	if !strings.HasPrefix(address, "http") {
		address = s.srv.URL() + address
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(address, "v3.fal.media") {
		req.Header.Set("Authorization", "Key "+faltest.Key)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(s, "# %s\n%s %s\n%s", title, method, address, body)
	if body != "" {
		s.WriteByte('\n')
	}
	fmt.Fprintf(s, "-> %s\n", resp.Status)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		if strings.HasPrefix(name, "X-") || name == "Content-Type" || name == "Retry-After" {
			fmt.Fprintf(s, "%s: %s\n", name, resp.Header.Get(name))
		}
	}
	fmt.Fprintf(s, "%s\n\n", bytes.TrimSpace(bytes.ReplaceAll(raw, []byte("\r"), nil)))
	var v map[string]any
	_ = json.Unmarshal(raw, &v) // what is no JSON has no fields
	return v
}

// Every kind of exchange is as it was: what clients in any language see.
func TestExchanges(t *testing.T) {
	t.Parallel()
	var c clock
	srv := faltest.NewServer(t, faltest.Clock(c.now), faltest.QueueTime(2*time.Second), faltest.RunTime(3*time.Second))
	s := &transcript{exchange: exchange{t, srv}}
	const pro, body = "/queue.fal.run/fal-ai/flux-2-pro", `{"prompt":"a mug","seed":7,"image_size":{"width":1920,"height":1080},"output_format":"png"}`

	job := fmt.Sprint(s.say("submit", http.MethodPost, pro, body)["response_url"])
	s.say("status, queued", http.MethodGet, job+"/status?logs=1", "")
	s.say("result, too early", http.MethodGet, job, "")
	c.move(2 * time.Second)
	s.say("status, running", http.MethodGet, job+"/status?logs=1", "")
	c.move(3 * time.Second)
	s.say("status, completed", http.MethodGet, job+"/status", "")
	s.say("status, completed, with logs", http.MethodGet, job+"/status?logs=true", "")
	s.say("status stream, completed", http.MethodGet, job+"/status/stream?logs=1", "")
	s.say("result", http.MethodGet, job, "")
	s.say("cancel, too late", http.MethodPut, job+"/cancel", "")

	job = fmt.Sprint(s.say("submit of what will fail", http.MethodPost, pro, body, faltest.FaultHeader, "content-policy")["response_url"])
	c.move(5 * time.Second)
	s.say("status, failed", http.MethodGet, job+"/status", "")
	s.say("result, failed", http.MethodGet, job, "")

	job = fmt.Sprint(s.say("submit of what is not valid", http.MethodPost, pro, `{"zebra":1,"ant":2,"image_size":{"width":0,"zoo":1,"bee":2},"seed":1.5}`)["response_url"])
	c.move(5 * time.Second)
	s.say("result, not valid", http.MethodGet, job, "")

	job = fmt.Sprint(s.say("submit that waits too long", http.MethodPost, pro, body, "X-Fal-Request-Start-Timeout", "1")["response_url"])
	c.move(time.Second)
	s.say("status, timed out", http.MethodGet, job+"/status", "")
	s.say("result, timed out", http.MethodGet, job, "")

	job = fmt.Sprint(s.say("submit to be cancelled in the queue", http.MethodPost, pro, body)["response_url"])
	s.say("cancel, queued", http.MethodPut, job+"/cancel", "")
	s.say("status, cancelled", http.MethodGet, job+"/status", "")
	s.say("result, cancelled", http.MethodGet, job, "")
	job = fmt.Sprint(s.say("submit to be cancelled while it runs", http.MethodPost, pro, body)["response_url"])
	c.move(2 * time.Second)
	s.say("cancel, running", http.MethodPut, job+"/cancel", "")
	s.say("cancel, unknown", http.MethodPut, pro+"/requests/none/cancel", "")
	s.say("status, unknown", http.MethodGet, pro+"/requests/none/status", "")
	s.say("submit to an unknown endpoint", http.MethodPost, "/fal.run/fal-ai/no-such-model", `{}`)
	s.say("queue too long", http.MethodPost, pro+"?fal_max_queue_length=x", body)

	up := s.say("upload, initiate", http.MethodPost, "/rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3", `{"content_type":"text/plain","file_name":"a b.txt"}`)
	s.say("upload, another type", http.MethodPut, fmt.Sprint(up["upload_url"]), "hello", "Content-Type", "image/png")
	s.say("upload", http.MethodPut, fmt.Sprint(up["upload_url"]), "hello", "Content-Type", "text/plain")
	s.say("download", http.MethodGet, fmt.Sprint(up["file_url"]), "")
	s.say("upload, no name", http.MethodPost, "/rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3", `{"content_type":"text/plain"}`)

	srv.SetPrice("fal-ai/flux-2-pro", "0.03", "megapixels")
	s.say("prices", http.MethodGet, "/api.fal.ai/v1/models/pricing?endpoint_id=fal-ai/flux-2-pro,fal-ai/none", "")
	s.say("prices of nothing", http.MethodGet, "/api.fal.ai/v1/models/pricing", "")
	s.say("no such question", http.MethodGet, "/api.fal.ai/v1/models/none", "")
	for _, name := range []string{"too-many", "locked", "server-error", "error-page", "unavailable", "empty-body", "detail-body", "html", "too-many-for-day"} {
		s.say("fault "+name, http.MethodPost, pro, body, faltest.FaultHeader, name)
	}
	s.say("fault that there is not", http.MethodPost, pro, body, faltest.FaultHeader, "lost-anwser")
	s.say("training", http.MethodPost, "/queue.fal.run/fal-ai/qwen-image-trainer", `{"image_data_url":"https://x.example/set.zip","steps":10}`)

	got := strings.ReplaceAll(ids.ReplaceAllString(s.String(), "id-$1"), srv.URL(), "http://host")
	const name = "testdata/exchanges.txt"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got; run with -update if it is meant:\n%s", diff)
	}
}

// What each fault does to a submission, and to what is counted and billed.
func TestFaultsAreCounted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fault  faltest.Fault
		answer string // status, or that the connection broke, and how much came
		posts  int
		jobs   int
		billed string
	}{
		{"none", faltest.Changed(func(map[string]any) {}), "200", 1, 1, "1"},
		{"lost answer", faltest.LostAnswer(), "broken", 1, 1, "1"},
		{"reset", faltest.Reset(), "broken", 1, 0, ""},
		{"server error", faltest.ServerError(500), "500", 1, 0, ""},
		{"error page", faltest.ErrorPage(502), "502", 1, 0, ""},
		{"too many", faltest.TooManyRequests(1500 * time.Millisecond), "429 after 2", 1, 0, ""},
		{"too many, at once", faltest.TooManyRequests(0), "429", 1, 0, ""},
		{"limited", faltest.RateLimited("7"), "429", 1, 0, ""},
		{"locked", faltest.LockedAccount(), "403", 1, 0, ""},
		{"slow", faltest.SlowBody(time.Millisecond), "200", 1, 1, "1"},
		{"truncated", faltest.TruncatedBody(), "200, cut", 1, 1, "1"},
		{"cut in chunks", faltest.Cut(5, faltest.ByChunks), "200, cut at 5", 1, 1, "1"},
		{"cut of a length", faltest.Cut(0, faltest.ByLength), "200, cut at 0", 1, 1, "1"},
		{"cut unseen", faltest.Cut(7, faltest.ByClose), "200, 7 bytes", 1, 1, "1"},
		{"nothing", faltest.Answer(200, ""), "200, 0 bytes", 1, 0, ""},
		{"accepted, then 503", faltest.After(faltest.ErrorPage(503)), "503", 1, 1, "1"},
		{"accepted, then cut", faltest.After(faltest.Cut(3, faltest.ByLength)), "200, cut at 3", 1, 1, "1"},
		{"refused by the model", faltest.LateFailure(422, "content_policy_violation", "no"), "200", 1, 1, "1"},
		{"failed", faltest.LateFailure(500, "internal_server_error", "no"), "200", 1, 1, "0"},
		{"an error as a result", faltest.LateFailure(200, "internal_server_error", "no"), "200", 1, 1, "1"},
		{"flagged", faltest.NSFW(), "200", 1, 1, "1"},
		{"wrong size", faltest.WrongSize(4096, 4096), "200", 1, 1, "1"},
		{"nulls", faltest.NullFields(), "200", 1, 1, "1"},
		{"unknown status", faltest.UnknownStatus("X"), "200", 1, 1, "1"},
		{"dropped stream", faltest.DroppedStream(), "200", 1, 1, "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			srv.Inject(faltest.OpSubmit, tt.fault, 1)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"/queue.fal.run/fal-ai/flux/schnell", strings.NewReader(`{"prompt":"x"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Key "+faltest.Key)
			answer := "broken"
			if resp, err := new(http.Transport).RoundTrip(req); err == nil {
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				answer = resp.Status[:3]
				if after := resp.Header.Get("Retry-After"); after != "" {
					answer += " after " + after
				}
				switch {
				case err != nil && len(body) < 20:
					answer += fmt.Sprintf(", cut at %d", len(body))
				case err != nil:
					answer += ", cut"
				case len(body) < 20:
					answer += fmt.Sprintf(", %d bytes", len(body))
				}
			}
			l := srv.Ledger()
			billed := ""
			if len(l.Bills) == 1 {
				billed = l.Bills[0].Units
			}
			if answer != tt.answer || l.Posts != tt.posts || l.Submissions != tt.jobs || billed != tt.billed {
				t.Errorf("answer %q, %d posts, %d jobs, billed %q; want %q, %d, %d, %q", answer, l.Posts, l.Submissions, billed, tt.answer, tt.posts, tt.jobs, tt.billed)
			}
		})
	}
}
