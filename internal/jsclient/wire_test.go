package jsclient_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/realtime"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// TestWire does the same work with the official JavaScript client and with this
// module, and compares what the local fal was sent: methods, paths, queries,
// headers and bodies. Each difference has to stand in testdata/wire.json with
// its reason, and what stands there has to be one.
func TestWire(t *testing.T) {
	t.Parallel()
	node := nodeWith(t, "@fal-ai/client")
	folder := t.TempDir()
	mug := image.NewGray(image.Rect(0, 0, 64, 48))
	var file bytes.Buffer
	if err := png.Encode(&file, mug); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "mug.png"), file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "training.zip"), make([]byte, 91<<20), 0o600); err != nil {
		t.Fatal(err)
	}

	there := listen(t)
	official := exec.CommandContext(t.Context(), node, "--experimental-websocket", "wire.mjs", there.url, faltest.Key, folder)
	official.WaitDelay = 10 * time.Second
	if out, err := official.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	here := listen(t)
	client := &fal.Client{Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(here.url), Retry: fal.Retry{MinWait: time.Millisecond}}
	var names []string
	for _, s := range script {
		names = append(names, s.name)
		here.begin(s.name)
		if err := s.do(t.Context(), client, folder); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	if diff := cmp.Diff(names, there.names); diff != "" {
		t.Fatalf("the two scripts have other steps, -ours +theirs:\n%s", diff)
	}

	known := wireDifferences(t)
	used := make([]bool, len(known))
	for _, name := range names {
		for _, d := range differences(here.steps[name], there.steps[name]) {
			listed := false
			for i, k := range known {
				if (k.Step == "" || k.Step == name) && (k.Exchange == "" || k.Exchange == d.Exchange) && k.What == d.What {
					used[i], listed = true, true
				}
			}
			if !listed {
				t.Errorf("not listed: step %q, exchange %q: %s", name, d.Exchange, d.What)
			}
		}
	}
	for i, k := range known {
		if !used[i] {
			t.Errorf("listed, and no difference any more: step %q, exchange %q: %s", k.Step, k.Exchange, k.What)
		}
	}
}

// script is the script of wire.mjs with this module.
var script = []struct {
	name string
	do   func(ctx context.Context, c *fal.Client, folder string) error
}{
	{"run", func(ctx context.Context, c *fal.Client, _ string) error {
		_, err := fal.Run(ctx, c, flux.Schnell{Prompt: "a mug, “blue” & <new>", ImageSize: fal.Size(320, 200), NumImages: 2, Seed: fal.Seed(7)})
		return err
	}},
	{"run with options", func(ctx context.Context, c *fal.Client, _ string) error {
		_, err := fal.Run(ctx, c, flux.Pro2{Prompt: "a mug"}, fal.WithStartTimeout(30*time.Second), fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: time.Hour}))
		return err
	}},
	{"subscribe", func(ctx context.Context, c *fal.Client, _ string) error {
		_, err := fal.Subscribe(ctx, c, flux.Pro2{Prompt: "a mug", ImageSize: fal.SquareHD}, fal.WithLogs())
		return err
	}},
	{"submit", func(ctx context.Context, c *fal.Client, _ string) error {
		_, err := fal.Submit(ctx, c, fal.With(qwen.Image{Prompt: "a mug", GuidanceScale: new(2.5)}, map[string]any{"negative_prompt": ""}),
			fal.WithWebhook("https://example.com/fal?order=17"), fal.WithLowPriority(), fal.WithRunnerHint("warm"),
			fal.WithStartTimeout(30*time.Second), fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: time.Hour}))
		return err
	}},
	{"status and result", func(ctx context.Context, c *fal.Client, _ string) error {
		job, err := fal.Submit(ctx, c, flux.KontextPro{Prompt: "a blue mug", ImageURL: fal.URL("https://example.com/a.png"), AspectRatio: "1:1"}, fal.WithLogs())
		if err != nil {
			return err
		}
		time.Sleep(300 * time.Millisecond) // as long as the work takes, and more
		if _, err := job.Status(ctx); err != nil {
			return err
		}
		_, err = job.Wait(ctx)
		return err
	}},
	{"cancel", func(ctx context.Context, c *fal.Client, _ string) error {
		job, err := fal.Submit(ctx, c, flux.Klein9BEdit{Prompt: "a mug", ImageURLs: []fal.File{fal.URL("https://example.com/a.png")}})
		if err != nil {
			return err
		}
		_, err = job.Cancel(ctx)
		return err
	}},
	{"stream", func(ctx context.Context, c *fal.Client, _ string) error {
		r := flux.DevLoRA{Prompt: "a mug", LoRAs: []flux.LoRA{{Path: "https://example.com/a.safetensors", Scale: new(0.8)}}}
		for _, err := range fal.Stream(ctx, c, r) {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"a picture in an input", func(ctx context.Context, c *fal.Client, folder string) error {
		_, err := fal.Run(ctx, c, flux.Pro2Edit{Prompt: "@image1", ImageURLs: []fal.File{fal.Path(filepath.Join(folder, "mug.png"))}})
		return err
	}},
	{"upload", func(ctx context.Context, c *fal.Client, folder string) error {
		fresh := &fal.Client{Key: c.Key, Hosts: c.Hosts} // the other one has sent it already
		_, err := fresh.Upload(ctx, fal.Path(filepath.Join(folder, "mug.png")))
		return err
	}},
	{"upload in parts", func(ctx context.Context, c *fal.Client, folder string) error {
		_, err := c.Upload(ctx, fal.Path(filepath.Join(folder, "training.zip")))
		return err
	}},
	{"realtime", func(ctx context.Context, c *fal.Client, folder string) error {
		content, err := os.ReadFile(filepath.Join(folder, "mug.png"))
		if err != nil {
			return err
		}
		e := flux.KleinRealtime{}.Endpoint()
		session, err := realtime.Open(ctx, c, e, realtime.Options{
			MaxBuffering: 2,
			Token:        func(ctx context.Context) (realtime.Token, error) { return realtime.NewToken(ctx, c, e, 2*time.Minute) },
		})
		if err != nil {
			return err
		}
		defer func() { _ = session.Close() }()
		if err := session.Send(ctx, flux.KleinRealtime{Prompt: "oil", ImageURL: fal.Bytes(content)}); err != nil {
			return err
		}
		for _, err := range session.Results(ctx) {
			return err
		}
		return nil
	}},
	{"bad input", func(ctx context.Context, c *fal.Client, _ string) error {
		_, err := fal.Run(ctx, c, flux.Schnell{Prompt: "a mug", NumInferenceSteps: 50}, fal.SkipValidation())
		return wanted(err)
	}},
	{"too many at once", func(ctx context.Context, c *fal.Client, _ string) error {
		_, err := fal.Run(ctx, c, flux.Schnell{Prompt: "a mug"}, fal.WithHeader(faltest.FaultHeader, "too-many"))
		return wanted(err)
	}},
	{"a lost answer", func(ctx context.Context, c *fal.Client, _ string) error {
		_, err := fal.Submit(ctx, c, flux.Pro2{Prompt: "a mug"}, fal.WithHeader(faltest.FaultHeader, "lost-answer"))
		return wanted(err)
	}},
	{"an error of the gateway", func(ctx context.Context, c *fal.Client, _ string) error {
		_, err := fal.Submit(ctx, c, flux.Pro2{Prompt: "a mug"}, fal.WithHeader(faltest.FaultHeader, "error-page"))
		return wanted(err)
	}},
}

// wanted turns an error that a step is about into none.
func wanted(err error) error {
	if err == nil {
		return errors.New("no error came")
	}
	return nil
}

// exchange is one of what the server was sent.
type exchange struct {
	line   string // method, host and path
	query  url.Values
	header http.Header
	body   any // of JSON its values, else a digest
}

// wire is a local fal that keeps what it was sent, by the step of the script.
type wire struct {
	url   string
	mu    sync.Mutex
	names []string
	steps map[string][]exchange
}

// What is another each time.
var (
	jobID    = regexp.MustCompile(`[0-9a-f]{8}-fa1e-4000-8000-\d{12}`)
	fileName = regexp.MustCompile(`/v3\.fal\.media/[^/?"]+/[^/?"]*[^/?".]`)
)

func listen(t *testing.T) *wire {
	t.Helper()
	fake := faltest.NewServer(t, faltest.QueueTime(100*time.Millisecond), faltest.RunTime(100*time.Millisecond))
	w := &wire{steps: map[string][]exchange{}}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, "/step/"); ok {
			w.begin(name)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.keep(r, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		fake.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	w.url = front.URL
	return w
}

func (w *wire) begin(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names = append(w.names, name)
}

func (w *wire) keep(r *http.Request, body []byte) {
	same := func(text string) string {
		text = strings.ReplaceAll(jobID.ReplaceAllString(text, "{job}"), w.url, "")
		return fileName.ReplaceAllString(text, "/v3.fal.media/{file}")
	}
	e := exchange{line: r.Method + " " + same(r.URL.Path)[1:], query: r.URL.Query(), header: r.Header.Clone()}
	for _, name := range []string{"X-Call-Id", "Sec-Websocket-Key"} { // are drawn at random
		if e.header.Get(name) != "" {
			e.header.Set(name, "{random}")
		}
	}
	e.header.Del("Content-Length") // is told by the body, and escapes in JSON change it
	e.header["Transfer-Encoding"] = r.TransferEncoding
	for _, values := range e.query {
		for i := range values {
			values[i] = same(values[i])
		}
	}
	switch {
	case r.Header.Get("Content-Type") == "application/json" && len(body) > 0:
		if err := json.Unmarshal([]byte(same(string(body))), &e.body); err != nil {
			e.body = err.Error() + ": " + string(body)
		}
	case len(body) > 0:
		e.body = fmt.Sprintf("%d bytes, sha256:%x", len(body), sha256.Sum256(body))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	step := w.names[len(w.names)-1]
	w.steps[step] = append(w.steps[step], e)
}

// wireDifference is one between the two clients.
type wireDifference struct {
	Step     string `json:"step,omitzero"`     // in which; "" in whichever
	Exchange string `json:"exchange,omitzero"` // in which; "" in whichever
	What     string `json:"what"`
	Why      string `json:"why,omitzero"`
}

func wireDifferences(t *testing.T) []wireDifference {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "wire.json"))
	if err != nil {
		t.Fatal(err)
	}
	var known []wireDifference
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	for _, k := range known {
		if k.Why == "" {
			t.Errorf("step %q, exchange %q: %s: no reason is given", k.Step, k.Exchange, k.What)
		}
	}
	return known
}

// differences compares the exchanges of a step. How often something is asked
// that costs nothing is no difference.
func differences(here, there []exchange) []wireDifference {
	ours, theirs := byLine(here), byLine(there)
	lines := maps.Clone(ours)
	maps.Copy(lines, theirs)
	var all []wireDifference
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		a, b := ours[line], theirs[line]
		note := func(what string) { all = append(all, wireDifference{Exchange: line, What: what}) }
		if len(a) != len(b) && (len(a) == 0 || len(b) == 0 || !strings.HasPrefix(line, "GET ")) {
			note(fmt.Sprintf("sent %d times here, %d times there", len(a), len(b)))
		}
		if len(a) == 0 || len(b) == 0 {
			continue
		}
		compare("query", a[0].query, b[0].query, note)
		compare("header", a[0].header, b[0].header, note)
		if diff := bodies("body", a[0].body, b[0].body); diff != "" {
			note(diff)
		}
	}
	return all
}

func byLine(exchanges []exchange) map[string][]exchange {
	lines := map[string][]exchange{}
	for _, e := range exchanges {
		lines[e.line] = append(lines[e.line], e)
	}
	return lines
}

func compare(kind string, ours, theirs map[string][]string, note func(string)) {
	names := maps.Clone(ours)
	maps.Copy(names, theirs)
	say := func(values []string) string {
		if values == nil {
			return "none"
		}
		return strconv.Quote(strings.Join(values, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !slices.Equal(ours[name], theirs[name]) {
			note(fmt.Sprintf("%s %s: %s here, %s there", kind, name, say(ours[name]), say(theirs[name])))
		}
	}
}

// bodies tells the first place in which two bodies differ.
func bodies(at string, ours, theirs any) string {
	a, ok := ours.(map[string]any)
	b, ok2 := theirs.(map[string]any)
	if ok && ok2 {
		names := maps.Clone(a)
		maps.Copy(names, b)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if diff := bodies(at+"."+name, a[name], b[name]); diff != "" {
				return diff
			}
		}
		return ""
	}
	if cmp.Equal(ours, theirs) {
		return ""
	}
	x, _ := json.Marshal(ours)
	y, _ := json.Marshal(theirs)
	return fmt.Sprintf("%s: %s here, %s there", at, x, y)
}
