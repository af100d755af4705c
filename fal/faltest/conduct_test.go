package faltest_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// What fal passes over is passed over and doubted, unless the server is
// strict, as those for tests are.
func TestStrictness(t *testing.T) {
	t.Parallel()
	const body = `{"prompt":"x","num_images":2,"ant":1,"loras":[{"path":"p","weight":1}],"image_size":{"width":64,"height":64,"depth":1}}`
	const endpoint = "/queue.fal.run/fal-ai/flux-lora"
	for name, tt := range map[string]struct {
		srv    *faltest.Server
		strict bool
	}{
		"New":                  {faltest.New(), false},
		"New, strict":          {faltest.New(faltest.Strict(true)), true},
		"NewServer":            {faltest.NewServer(t), true},
		"NewServer, forgiving": {faltest.NewServer(t, faltest.Strict(false)), false},
	} {
		t.Cleanup(tt.srv.Close)
		e := exchange{t, tt.srv}
		address := e.submit(strings.TrimPrefix(endpoint, "/queue.fal.run/"), body)
		e.submit("fal-ai/flux-lora", body) // a doubt is told once
		status, _, v := e.do(http.MethodGet, address, "")
		var want []string
		if !tt.strict {
			for _, field := range []string{"image_size.depth", "loras[0].weight", "ant"} {
				want = append(want, "fal-ai/flux-lora: the endpoint has no field "+field+": fal passes it over")
			}
		}
		if diff := cmp.Diff(want, tt.srv.Doubts()); diff != "" || (status == http.StatusUnprocessableEntity) != tt.strict {
			t.Errorf("%s: %d %.200v, doubts -want +got\n%s", name, status, v, diff)
		}
	}
}

// Handle serves what is not known, and instead of what is.
func TestHandle(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	srv.Handle("me/my-model/fast", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Fal-Request-Id") == "" {
			t.Errorf("headers %v", r.Header)
		}
		w.Header().Set("X-Fal-Billable-Units", "2.5")
		_, _ = fmt.Fprintf(w, `{"got":%s,"url":%q}`, body, srv.File("../a.txt", "text/plain", []byte("hello")))
	})
	status, header, v := e.do(http.MethodGet, e.submit("me/my-model/fast", `{"a":1}`), "")
	if status != http.StatusOK || fmt.Sprint(v["got"]) != "map[a:1]" || header.Get("X-Fal-Billable-Units") != "2.5" || header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %v", status, header, v)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprint(v["url"]), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "hello" || !strings.HasSuffix(fmt.Sprint(v["url"]), "/a.txt") {
		t.Errorf("%v: %q", v["url"], b)
	}
	for status, units := range map[int]string{http.StatusOK: "1", http.StatusTeapot: "0"} {
		srv.Handle("fal-ai/flux/schnell", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if got, header, _ := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{}`); got != status || header.Get("X-Fal-Billable-Units") != units {
			t.Errorf("%d, billed %q, want %d, %q", got, header.Get("X-Fal-Billable-Units"), status, units)
		}
	}
	srv.Handle("me/my-model/stream", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"x":1}`) })
	if status, _, _ := e.do(http.MethodPost, "/fal.run/me/my-model/stream", `{}`); status != http.StatusOK {
		t.Errorf("stream: %d", status)
	}
	takeBack := srv.Inject(faltest.OpRun, faltest.Changed(func(r map[string]any) { r["x"] = "changed" }), 9)
	srv.Handle("me/my-model", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"x":1}`) })
	if _, _, v := e.do(http.MethodPost, "/fal.run/me/my-model", `{}`); v["x"] != "changed" {
		t.Errorf("changed: %v", v)
	}
	takeBack()
	srv.Inject(faltest.OpRun, faltest.LateFailure(500, "internal_server_error", "no"), 1)
	if status, _, _ := e.do(http.MethodPost, "/fal.run/me/my-model", `{}`); status != http.StatusInternalServerError {
		t.Errorf("failed: %d", status)
	}
	srv.Handle("fal-ai/flux/schnell", nil)
	if status, _, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x"}`); status != http.StatusOK || v["images"] == nil {
		t.Errorf("after the end: %d %v", status, v)
	}
}

// recorder is a test that notes its errors.
type recorder struct {
	testing.TB
	cleanup []func()
	errors  []string
}

func (r *recorder) Helper()          {}
func (r *recorder) Failed() bool     { return len(r.errors) > 0 }
func (r *recorder) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// A fault that never struck fails the test, unless it was taken back; one that
// struck once is good.
func TestIdleFaults(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	srv := faltest.NewServer(r)
	e := exchange{t, srv}
	srv.InjectFor("fal-ai/flux/dev", faltest.OpSubmit, faltest.LostAnswer(), 1)
	srv.Inject(faltest.OpRun, faltest.ServerError(500), 3)
	srv.Inject(faltest.OpStatus, faltest.Reset(), 1)()
	takeBack := srv.Inject(faltest.OpRun, faltest.ErrorPage(502), 1)
	srv.Inject(faltest.OpPlatform, faltest.ErrorPage(502), 9) // strikes once
	if status, _, _ := e.do(http.MethodGet, "/api.fal.ai/v1/meta", ""); status != http.StatusBadGateway {
		t.Errorf("the platform: %d", status)
	}
	var got []int
	run := func() {
		status, _, _ := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x"}`)
		got = append(got, status)
	}
	run()
	run()
	takeBack()
	run()
	run()
	if fmt.Sprint(got) != "[500 500 500 200]" {
		t.Errorf("statuses %v", got)
	}
	for _, f := range r.cleanup {
		f()
	}
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "conduct_test.go:") || !strings.Contains(r.errors[0], "fal-ai/flux/dev submit never struck") {
		t.Errorf("errors %q", r.errors)
	}
}

// What is called wrongly fails at once, and says why.
func TestWrongCalls(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	for _, status := range []int{200, 599} { // these are right
		faltest.Answer(status, "")
		faltest.LateFailure(status, "t", "m")
	}
	for want, f := range map[string]func(){
		`no operation "submti"; did you mean submit`:  func() { srv.Inject("submti", faltest.LostAnswer(), 1) },
		"the Fault is empty":                          func() { srv.Inject(faltest.OpSubmit, faltest.Fault{}, 1) },
		"0 times":                                     func() { srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 0) },
		"strikes work":                                func() { srv.InjectFor("x/y", faltest.OpResult, faltest.NSFW(), 1) },
		"must be one that strikes an exchange":        func() { faltest.After(faltest.NSFW()) },
		"status from 200 to 599":                      func() { faltest.Answer(99, "") },
		"LateFailure(600)":                            func() { faltest.LateFailure(600, "", "") },
		"a header has no value":                       func() { faltest.Answer(200, "", "X") },
		`no framing "x"`:                              func() { faltest.Cut(1, "x") },
		"Changed: the function is nil":                func() { faltest.Changed(nil) },
		`must be a decimal number of US dollars`:      func() { srv.SetPrice("a/b", "$0.03", "megapixels") },
		`"1e3", "megapixels"): the price`:             func() { srv.SetPrice("a/b", "1e3", "megapixels") },
		`"03", "megapixels"): the price`:              func() { srv.SetPrice("a/b", "03", "megapixels") },
		"endpoint and unit must not be empty":         func() { srv.SetPrice("a/b", "0.03", "") },
		`SetPrice("", "0.03"`:                         func() { srv.SetPrice("", "0.03", "images") },
		"must be an endpoint id such as me/my-model":  func() { srv.Handle("x", nil) },
		"QueueTime(-1ns)":                             func() { faltest.QueueTime(-1) },
		"RunTime(-1ns)":                               func() { faltest.RunTime(-1) },
		"KeepAlive(0s)":                               func() { faltest.KeepAlive(0) },
		"Clock: the function is nil":                  func() { faltest.Clock(nil) },
		"must be of the form key_id:key_secret":       func() { faltest.WithKey("x") },
		`HostsAt("localhost:8080"): must be a URL`:    func() { faltest.HostsAt("localhost:8080") },
		`HostsAt("http://x?y"): must be a URL`:        func() { faltest.HostsAt("http://x?y") },
		`HostsAt("http://"): must be a URL such as h`: func() { faltest.HostsAt("http://") },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) || !strings.HasPrefix(got, "faltest: ") {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			f()
		}()
	}
}

func TestHostsAt(t *testing.T) {
	t.Parallel()
	want := fal.Hosts{Run: "http://x:1/fal.run", Queue: "http://x:1/queue.fal.run", REST: "http://x:1/rest.fal.ai", Platform: "http://x:1/api.fal.ai"}
	if diff := cmp.Diff(want, faltest.HostsAt("http://x:1/")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A server on all addresses names one that others reach, and each client by
// the name that it used.
func TestAllAddresses(t *testing.T) {
	t.Parallel()
	srv, err := faltest.Start(":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL())
	if err != nil || u.Hostname() == "::" || u.Hostname() == "0.0.0.0" || u.Hostname() == "" || u.Port() == "0" {
		t.Fatalf("URL %s", srv.URL())
	}
	base := "http://localhost:" + u.Port()
	for _, client := range []*fal.Client{srv.Client(), {Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(base)}} {
		out, err := fal.Subscribe(t.Context(), client, flux.Dev2Edit{Prompt: "x", ImageURLs: []fal.File{fal.Picture(image.NewGray(image.Rect(0, 0, 600, 600)))}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out.Images[0].URL, base+"/") || out.Images[0].Width != 600 {
			t.Errorf("picture %+v, want one at %s of 600x600", out.Images[0], base)
		}
	}
}

// streamOf opens a status stream and returns its lines.
func (e exchange) streamOf(job string) *bufio.Scanner {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, job+"/status/stream", nil)
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Key "+faltest.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = resp.Body.Close() })
	return bufio.NewScanner(resp.Body)
}

// A stream says at once that its job was cancelled.
func TestCancelledStream(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t, faltest.RunTime(time.Hour))}
	job := e.submit("fal-ai/flux/schnell", `{"prompt":"x"}`)
	lines := e.streamOf(job)
	lines.Scan()
	lines.Scan()
	began := time.Now()
	if status, _, _ := e.do(http.MethodPut, job+"/cancel", ""); status != http.StatusAccepted {
		t.Errorf("cancel: %d", status)
	}
	lines.Scan()
	if !strings.Contains(lines.Text(), `"status":"COMPLETED"`) || time.Since(began) > 5*time.Second {
		t.Errorf("%v later: %s", time.Since(began), lines.Text())
	}
	if bills := e.srv.Ledger().Bills; len(bills) != 1 || bills[0].Units != "0" {
		t.Errorf("bills %+v", bills)
	}
}

func TestStreamFaults(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.KeepAlive(time.Millisecond))
	e := exchange{t, srv}
	srv.Inject(faltest.OpSubmit, faltest.HeartbeatStream(), 1)
	lines := e.streamOf(e.submit("fal-ai/flux/schnell", `{"prompt":"x"}`))
	for range 5 {
		if !lines.Scan() || lines.Text() != ": keep-alive" {
			t.Fatalf("heartbeats alone: %q", lines.Text())
		}
		lines.Scan()
	}
	srv.Inject(faltest.OpSubmit, faltest.DroppedStream(), 1)
	job := e.submit("fal-ai/flux/schnell", `{"prompt":"x"}`)
	if lines := e.streamOf(job); !lines.Scan() || !strings.Contains(lines.Text(), "COMPLETED") {
		t.Errorf("a stream breaks off at the end: %q", lines.Text())
	}
}

// Whole numbers may be written in any way; what is not whole is refused.
func TestSeeds(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	for literal, want := range map[string]string{
		"42": "42", "42.0": "42", "42.00": "42", "4.2e1": "42", "42e0": "42", "18446744073709551615.0": "18446744073709551615", "0": "0",
		"42.5": "", "-1": "", "-1.0": "", "1e400": "", "18446744073709551616": "", "1e20": "", `"42"`: "", "true": "",
	} {
		_, _, body := post(t, e.srv.URL()+"/fal.run/fal-ai/flux/schnell", "Key "+faltest.Key, `{"prompt":"x","seed":`+literal+`}`)
		var v struct{ Seed json.Number }
		if err := json.Unmarshal([]byte(body), &v); err != nil || v.Seed.String() != want {
			t.Errorf("%s: seed %q, want %q: %.200s", literal, v.Seed, want, body)
		}
	}
}

// The pictures that the safety checker flags are black, and said to be so.
func TestBlackPictures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	black := func(req fal.Request[fal.Images]) bool {
		t.Helper()
		out, err := fal.Run(t.Context(), client, req)
		if out == nil {
			t.Fatal(err)
		}
		m, err := client.Decode(t.Context(), out.Images[0])
		if err != nil {
			t.Fatal(err)
		}
		for y := range m.Bounds().Dy() {
			for x := range m.Bounds().Dx() {
				if r, g, b, _ := m.At(x, y).RGBA(); r+g+b > 0 {
					return false
				}
			}
		}
		return true
	}
	for _, format := range []fal.OutputFormat{fal.PNG, fal.JPEG} {
		req := flux.Schnell{Prompt: "x", ImageSize: fal.Size(64, 64), OutputFormat: format}
		srv.Inject(faltest.OpRun, faltest.NSFW(), 1)
		if !black(req) || black(req) {
			t.Errorf("%s: the flagged picture is not black, or the other is", format)
		}
	}
}

// Results that lack something are billed all the same.
func TestLackingResults(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	for fault, want := range map[string]string{
		"fewer-pictures": "2 pictures, 2 with a URL, 2 flags",
		"no-pictures":    "0 pictures, 0 with a URL, 0 flags",
		"no-url":         "3 pictures, 0 with a URL, 3 flags",
		"text-seed":      "3 pictures, 3 with a URL, 3 flags, a text",
		"nsfw":           "3 pictures, 3 with a URL, 3 flags",
	} {
		_, header, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x","num_images":3}`, faltest.FaultHeader, fault)
		images, _ := v["images"].([]any)
		flags, _ := v["has_nsfw_concepts"].([]any)
		urls := 0
		for _, image := range images {
			if p, ok := image.(map[string]any); ok && p["url"] != nil {
				urls++
			}
		}
		got := fmt.Sprintf("%d pictures, %d with a URL, %d flags", len(images), urls, len(flags))
		if _, ok := v["seed"].(string); ok {
			got += ", a text"
		}
		if got != want || header.Get("X-Fal-Billable-Units") != "3" {
			t.Errorf("%s: %s, billed %q, want %s", fault, got, header.Get("X-Fal-Billable-Units"), want)
		}
	}
}

// Reference pictures in a training set multiply what its steps cost.
func TestReferencesAreBilled(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	set := func(names ...string) string {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, name := range names {
			if _, err := w.Create(name); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return srv.File("set.zip", "application/zip", b.Bytes())
	}
	pair := []string{"a_start.png", "a_end.png", "b_start.png", "b_end.png"}
	for _, tt := range []struct{ endpoint, set, want string }{
		{"fal-ai/flux-2-trainer/edit", "https://x.example/set.zip", "2110"},
		{"fal-ai/flux-2-trainer/edit", set(pair...), "2110"},
		{"fal-ai/flux-2-trainer/edit", set(slices.Concat(pair, []string{"b_start2.png"})...), "3440"},
		{"fal-ai/flux-2-klein-9b-base-trainer/edit", set(slices.Concat(pair, []string{"b_start2.png", "b_start3.png", "a_start2.png"})...), "5090"},
		{"fal-ai/flux-2-trainer-v2/edit", set(slices.Concat(pair, []string{"b_start2.png", "b_start3.png", "b_start4.png", "b_start5.png"})...), "6950"},
		{"fal-ai/flux-2-trainer", set(slices.Concat(pair, []string{"b_start2.png"})...), "1000"},
		{"fal-ai/flux-kontext-trainer", set(pair...), "1000"},
	} {
		_, header, v := e.do(http.MethodPost, "/fal.run/"+tt.endpoint, `{"image_data_url":"`+tt.set+`"}`)
		if got := header.Get("X-Fal-Billable-Units"); got != tt.want {
			t.Errorf("%s: billed %q, want %s: %v", tt.endpoint, got, tt.want, v["detail"])
		}
	}
}
