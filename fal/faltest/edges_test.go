package faltest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
)

// What the service accepts goes up to its limits.
func TestEdges(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	admin := []string{"Authorization", "Key admin-" + faltest.Key}
	file := srv.File("a.txt", "text/plain", []byte("x"))
	estimate := func(n int) string {
		endpoints := make([]string, n)
		for i := range endpoints {
			endpoints[i] = fmt.Sprintf(`"a/b%d":{"unit_quantity":1}`, i)
			srv.SetPrice(fmt.Sprint("a/b", i), "0.5", "images")
		}
		return `{"estimate_type":"unit_price","endpoints":{` + strings.Join(endpoints, ",") + `}}`
	}
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/api.fal.ai/v1/storage/files/sign?url=" + file, `{"expiration_seconds":0}`, 400},
		{"POST", "/api.fal.ai/v1/storage/files/sign?url=" + file, `{"expiration_seconds":1}`, 200},
		{"POST", "/api.fal.ai/v1/storage/files/sign?url=" + file, `{"expiration_seconds":604800}`, 200},
		{"POST", "/api.fal.ai/v1/storage/files/sign?url=" + file, `{"expiration_seconds":604801}`, 400},
		{"PUT", "/api.fal.ai/v1/storage/files/acl?url=" + file, `{"default":"hide"}`, 200},
		{"POST", "/api.fal.ai/v1/models/pricing/estimate", estimate(50), 200},
		{"POST", "/api.fal.ai/v1/models/pricing/estimate", estimate(51), 400},
		{"PUT", "/api.fal.ai/v1/storage/files/acl?url=" + file, `{"default":"maybe"}`, 400},
	} {
		if status, _, v := e.do(tt.method, tt.path, tt.body, admin...); status != tt.want {
			t.Errorf("%s %s: %d %v, want %d", tt.path, tt.body, status, v, tt.want)
		}
	}
	if _, _, v := e.do(http.MethodGet, "/api.fal.ai/v1/storage/files/acl?url="+file, "", admin...); v["default"] != "hide" {
		t.Errorf("who may read it: %v", v)
	}
}

// Failures are billed, and listed in the history, by their status.
func TestFailuresAreBilled(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	kinds := map[string][]int{}
	for _, tt := range []struct {
		status int
		units  string
		kind   string
	}{{200, "1", "success"}, {399, "1", "success"}, {400, "1", "user_error"}, {499, "1", "user_error"}, {500, "0", "error"}, {599, "0", "error"}} {
		srv.Inject(faltest.OpSubmit, faltest.LateFailure(tt.status, "some_type", "said"), 1)
		job := e.submit("fal-ai/flux/schnell", `{"prompt":"x"}`)
		if status, header, _ := e.do(http.MethodGet, job, ""); status != tt.status || header.Get("X-Fal-Billable-Units") != tt.units {
			t.Errorf("%d: %d, %s units, want %s", tt.status, status, header.Get("X-Fal-Billable-Units"), tt.units)
		}
		kinds[tt.kind] = append([]int{tt.status}, kinds[tt.kind]...)
	}
	got := map[string][]int{}
	for kind := range kinds {
		_, _, v := e.do(http.MethodGet, "/api.fal.ai/v1/models/requests/by-endpoint?endpoint_id=fal-ai/flux/schnell&status="+kind, "")
		items, _ := v["items"].([]any)
		for _, item := range items {
			row, _ := item.(map[string]any)
			status, _ := row["status_code"].(float64)
			got[kind] = append(got[kind], int(status))
		}
	}
	if diff := cmp.Diff(kinds, got); diff != "" {
		t.Errorf("the history, the latest first (-want +got)\n%s", diff)
	}
}

// How long to wait is told in whole seconds, rounded up, and not at all for no time.
func TestTooManyRequestsSays(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	for d, want := range map[time.Duration]string{0: "", 1: "1", time.Second: "1", time.Second + 1: "2", time.Hour: "3600"} {
		srv.Inject(faltest.OpRun, faltest.TooManyRequests(d), 1)
		if status, header, _ := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x"}`); status != http.StatusTooManyRequests || header.Get("Retry-After") != want {
			t.Errorf("%v: %d, %q, want %q", d, status, header.Get("Retry-After"), want)
		}
	}
}

// A cut is after as many bytes as are told, at the end of the body at the latest, and in
// its middle for less than none.
func TestCutAfter(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	const body = `{"some":"answer"}`
	srv.Handle("me/model", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	for _, framing := range []faltest.Framing{faltest.ByLength, faltest.ByChunks, faltest.ByClose} {
		for n, want := range map[int]string{0: "", 1: body[:1], 16: body[:16], 17: body, 18: body, -1: body[:8], -9: body[:8]} {
			srv.Inject(faltest.OpRun, faltest.Cut(n, framing), 1)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"/fal.run/me/model", strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Key "+faltest.Key)
			req.Close = true // the connection ends with a cut
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(framing, n, err)
			}
			got, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			// A body that is there as a whole has ended, if its length is told.
			told := framing == faltest.ByChunks || framing == faltest.ByLength && len(want) < len(body)
			if string(got) != want || (err != nil) != told {
				t.Errorf("%s, %d: %q, %v, want %q", framing, n, got, err, want)
			}
			if length := resp.Header.Get("Content-Length"); (length == strconv.Itoa(len(body))) != (framing == faltest.ByLength) {
				t.Errorf("%s, %d: Content-Length %q", framing, n, length)
			}
		}
	}
}

// Where a job stands in the queue is told by the seconds that it has to wait.
func TestQueuePosition(t *testing.T) {
	t.Parallel()
	var c clock
	srv := faltest.NewServer(t, faltest.Clock(c.now), faltest.QueueTime(3*time.Second), faltest.RunTime(2*time.Second))
	e := exchange{t, srv}
	job := e.submit("fal-ai/flux/schnell", `{"prompt":"x"}`)
	var got []string
	for range 6 {
		status, _, v := e.do(http.MethodGet, job+"/status?logs=1", "")
		logs, _ := v["logs"].([]any)
		got = append(got, fmt.Sprint(status, " ", v["status"], " ", v["queue_position"], " ", len(logs)))
		c.move(time.Second)
	}
	want := []string{
		"202 IN_QUEUE 3 0", "202 IN_QUEUE 2 0", "202 IN_QUEUE 1 0", "202 IN_PROGRESS <nil> 1", "202 IN_PROGRESS <nil> 1", "200 COMPLETED <nil> 2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A stream that is to be silent says nothing, though the job has ended.
func TestSilentStream(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.SilentStream(), 1)
	job := exchange{t, srv}.submit("fal-ai/flux/schnell", `{"prompt":"x"}`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, job+"/status/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Key "+faltest.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return // the time was over before it began
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); len(text) > 0 || err == nil {
		t.Errorf("%q, %v", text, err)
	}
}

// Of a slow body the header comes at once.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpRun, faltest.SlowBody(time.Hour), 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL()+"/fal.run/fal-ai/flux/schnell", strings.NewReader(`{"prompt":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Key "+faltest.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength <= 0 {
		t.Errorf("%d, %d bytes", resp.StatusCode, resp.ContentLength)
	}
	cancel()
	if text, err := io.ReadAll(resp.Body); err == nil || len(text) > 0 {
		t.Errorf("%q, %v", text, err)
	}
}
