package faltest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
)

// These tests speak plain HTTP: the wire is what they are about.

type exchange struct {
	t   *testing.T
	srv *faltest.Server
}

// do sends a request with the right key and returns status and JSON body.
func (e exchange) do(method, path, body string, header ...string) (int, http.Header, map[string]any) {
	e.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = e.srv.URL() + path
	}
	req, err := http.NewRequestWithContext(e.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Key "+faltest.Key)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	var v map[string]any
	_ = json.Unmarshal(raw, &v) // what is no JSON has no fields
	return resp.StatusCode, resp.Header, v
}

const submitPath = "/queue.fal.run/fal-ai/flux-2-pro/edit"

const editBody = `{"prompt":"x","image_urls":["https://x.example/a.png"]}`

func TestQueueProtocol(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(150*time.Millisecond), faltest.RunTime(150*time.Millisecond))
	e := exchange{t, srv}
	status, header, job := e.do(http.MethodPost, submitPath, editBody)
	id, _ := job["request_id"].(string)
	base := srv.URL() + "/queue.fal.run/fal-ai/flux-2-pro/requests/" + id
	want := map[string]any{
		"status": "IN_QUEUE", "request_id": id, "gateway_request_id": id, "queue_position": 0.0,
		"response_url": base, "status_url": base + "/status", "cancel_url": base + "/cancel",
	}
	if diff := cmp.Diff(want, job); diff != "" || status != http.StatusOK || header.Get("X-Fal-Request-Id") != id {
		t.Errorf("submit: %d\n%s", status, diff)
	}
	statusURL, responseURL := base+"/status", base

	if status, _, v := e.do(http.MethodGet, statusURL, ""); status != http.StatusAccepted || v["status"] != "IN_QUEUE" || v["logs"] != nil || v["queue_position"] == nil {
		t.Errorf("status: %d %v", status, v)
	}
	if status, _, v := e.do(http.MethodGet, responseURL, ""); status != http.StatusBadRequest || v["detail"] != "Request is still in progress" {
		t.Errorf("early result: %d %v", status, v)
	}
	for path, want := range map[string]int{
		"/queue.fal.run/fal-ai/flux-2-pro/edit/requests/" + id + "/status": http.StatusMethodNotAllowed, // the sub-path is wrong here
		"/queue.fal.run/fal-ai/flux-2-pro/requests/other/status":           http.StatusNotFound,
		"/queue.fal.run/fal-ai/flux-2-pro/requests/" + id + "/other":       http.StatusMethodNotAllowed,
	} {
		if status, _, v := e.do(http.MethodGet, path, ""); status != want {
			t.Errorf("%s: %d %v, want %d", path, status, v, want)
		}
	}
	if _, _, v := e.do(http.MethodGet, "/queue.fal.run/fal-ai/flux-2-pro/requests/other/status", ""); v["status"] != "NOT_FOUND" {
		t.Errorf("unknown job: %v", v)
	}

	// The stream tells each state and closes after the last.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, statusURL+"/stream?logs=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Key "+faltest.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var states []string
	logs := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var v struct {
				Status string
				Logs   []any
			}
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				t.Error(err)
			}
			states = append(states, v.Status)
			logs += len(v.Logs)
		}
	}
	if diff := cmp.Diff([]string{"IN_QUEUE", "IN_PROGRESS", "COMPLETED"}, states); diff != "" || logs != 2 {
		t.Errorf("stream: %d log lines, -want +got\n%s", logs, diff)
	}
	if status, _, v := e.do(http.MethodGet, statusURL+"?logs=1", ""); status != http.StatusOK || v["status"] != "COMPLETED" || v["metrics"] == nil || v["error"] != nil {
		t.Errorf("status: %d %v", status, v)
	}
	status, header, v := e.do(http.MethodGet, responseURL, "")
	if status != http.StatusOK || header.Get("X-Fal-Billable-Units") != "1.5" || v["images"] == nil || v["seed"] == nil || len(v) != 2 {
		t.Errorf("result: %d %v billed %s", status, v, header.Get("X-Fal-Billable-Units"))
	}
	if status, _, v := e.do(http.MethodPut, base+"/cancel", ""); status != http.StatusBadRequest || v["status"] != "ALREADY_COMPLETED" {
		t.Errorf("late cancel: %d %v", status, v)
	}
}

func TestKeepAliveComments(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(200*time.Millisecond), faltest.KeepAlive(20*time.Millisecond))
	e := exchange{t, srv}
	_, _, job := e.do(http.MethodPost, submitPath, editBody)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprint(job["status_url"], "/stream"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Key "+faltest.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, _ := io.ReadAll(resp.Body)
	if n := strings.Count(string(all), ": keep-alive\n\n"); n < 3 {
		t.Errorf("%d keep-alives in\n%s", n, all)
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(time.Minute))
	e := exchange{t, srv}
	for _, tt := range []struct {
		query  string
		header []string
		want   int
	}{
		{"", []string{"X-Fal-Request-Start-Timeout", "0.1"}, http.StatusBadRequest},
		{"", []string{"X-Fal-Request-Start-Timeout", "soon"}, http.StatusBadRequest},
		{"", []string{"X-Fal-Request-Start-Timeout", "NaN"}, http.StatusBadRequest},
		{"", []string{"X-Fal-Request-Timeout", "0"}, http.StatusBadRequest},
		{"", []string{"X-Fal-Request-Start-Timeout", "2", "X-Fal-Request-Timeout", "bad"}, http.StatusOK}, // the new name wins
		{"", []string{"X-Fal-Object-Lifecycle-Preference", "{"}, http.StatusBadRequest},
		{"?fal_max_queue_length=x", nil, http.StatusBadRequest},
		{"?fal_max_queue_length=9", nil, http.StatusOK},
		{"?fal_max_queue_length=1", nil, http.StatusTooManyRequests}, // two wait already
		{"?fal_webhook=https%3A%2F%2Fx.example", []string{"X-Fal-Tags", "Team = shop,bad name=x,fal.x=1,n=,env=a=b"}, http.StatusOK},
	} {
		if status, _, v := e.do(http.MethodPost, submitPath+tt.query, editBody, tt.header...); status != tt.want {
			t.Errorf("%s %v: %d %v, want %d", tt.query, tt.header, status, v, tt.want)
		}
	}
	bills := srv.Ledger().Bills
	last := bills[len(bills)-1]
	if diff := cmp.Diff(map[string]string{"team": " shop", "n": "", "env": "a=b"}, last.Tags); diff != "" {
		t.Errorf("tags: -want +got\n%s", diff)
	}
	if last.Query["fal_webhook"][0] != "https://x.example" || last.Header["Authorization"] != nil {
		t.Errorf("the bill says %+v", last)
	}
}

func TestBilledUnits(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	for _, tt := range []struct{ endpoint, body, want string }{
		{"fal-ai/flux-2-pro", `{"prompt":"x","image_size":{"width":512,"height":512}}`, "1"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","image_size":{"width":1024,"height":1024}}`, "1"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","image_size":{"width":1025,"height":1024}}`, "1.5"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","image_size":{"width":2048,"height":2048}}`, "2.5"},
		{"fal-ai/flux-2-max", `{"prompt":"x","image_size":{"width":1024,"height":1025}}`, "1.42857143"},
		{"fal-ai/flux/schnell", `{"prompt":"x","num_images":3,"image_size":{"width":1920,"height":1080}}`, "6"},
		{"fal-ai/qwen-image", `{"prompt":"x"}`, "1"},
		{"fal-ai/qwen-image-2/pro/text-to-image", `{"prompt":"x","num_images":2,"image_size":{"width":2048,"height":2048}}`, "2"},
		{"fal-ai/flux-pro/kontext", `{"prompt":"x","image_url":"https://x.example/a"}`, "1"},
		{"fal-ai/flux-2/edit", `{"prompt":"x","image_urls":["https://x.example/a","https://x.example/b"],"image_size":"square_hd"}`, "3"},
		{"fal-ai/qwen-image-layered", `{"image_url":"https://x.example/a","num_layers":7}`, "1"},
		{"fal-ai/flux-general/rf-inversion", `{"prompt":"x","image_url":"https://x.example/a"}`, "0.1"},
		{"fal-ai/qwen-image-trainer", `{"image_data_url":"https://x.example/a.zip","steps":1500}`, "1500"},
	} {
		status, header, v := e.do(http.MethodPost, "/fal.run/"+tt.endpoint, tt.body)
		if status != http.StatusOK || header.Get("X-Fal-Billable-Units") != tt.want {
			t.Errorf("%s %s: %d, billed %q, want %q (%v)", tt.endpoint, tt.body, status, header.Get("X-Fal-Billable-Units"), tt.want, v["detail"])
		}
	}
}

func TestStorage(t *testing.T) {
	t.Parallel()
	srv := faltest.New() // violations are expected
	t.Cleanup(srv.Close)
	e := exchange{t, srv}
	const initiate = "/rest.fal.ai/storage/upload/initiate"
	if status, _, _ := e.do(http.MethodPost, initiate+"?storage_type=gcs", `{}`); status != http.StatusBadRequest {
		t.Errorf("another storage: %d", status)
	}
	if status, _, _ := e.do(http.MethodPost, initiate+"?storage_type=fal-cdn-v3", `{}`); status != http.StatusUnprocessableEntity {
		t.Errorf("no name: %d", status)
	}
	_, _, v := e.do(http.MethodPost, initiate+"?storage_type=fal-cdn-v3", `{"content_type":"text/plain","file_name":"../a.txt"}`)
	upload, file := fmt.Sprint(v["upload_url"]), fmt.Sprint(v["file_url"])
	if !strings.HasSuffix(file, "/a.txt") || strings.Contains(file, "..") {
		t.Errorf("file URL %s", file)
	}
	if status, _, _ := e.do(http.MethodGet, file, "", "Authorization", ""); status != http.StatusNotFound {
		t.Errorf("before the upload: %d", status)
	}
	for _, tt := range []struct {
		url, contentType, key string
		want                  int
	}{
		{upload, "text/plain", "Key " + faltest.Key, http.StatusBadRequest},
		{upload, "image/png", "", http.StatusForbidden},
		{file, "text/plain", "", http.StatusForbidden},
		{upload, "text/plain", "", http.StatusOK},
	} {
		if status, _, _ := e.do(http.MethodPut, tt.url, "hello", "Content-Type", tt.contentType, "Authorization", tt.key); status != tt.want {
			t.Errorf("PUT as %s: %d, want %d", tt.contentType, status, tt.want)
		}
	}
	if v := srv.Violations(); len(v) != 1 || !strings.Contains(v[0], "credentials") {
		t.Errorf("violations: %v", v)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=1-3")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "ell" || resp.StatusCode != http.StatusPartialContent || resp.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("range: %d %q", resp.StatusCode, b)
	}
}

// Every fault can be asked for by name, and none of them breaks the server.
func TestNamedFaults(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	outcomes := make(map[string]string)
	for _, name := range faltest.FaultNames() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"/fal.run/fal-ai/flux-2-pro", strings.NewReader(`{"prompt":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Key "+faltest.Key)
		req.Header.Set(faltest.FaultHeader, name)
		resp, err := http.DefaultClient.Do(req)
		outcome := "no answer"
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			outcome = resp.Status[:3]
			if err != nil {
				outcome += ", cut off"
			}
			if strings.Contains(string(body), "nginx") {
				outcome += ", a page"
			}
		}
		outcomes[name] = outcome
	}
	want := map[string]string{
		"lost-answer": "no answer", "reset": "no answer", "server-error": "500", "error-page": "502, a page", "too-many": "429",
		"slow-body": "200", "truncated-body": "200, cut off", "locked": "403", "late-failure": "500", "content-policy": "422",
	}
	want["cut-chunked"], want["unavailable"], want["unavailable-done"] = "200, cut off", "503, a page", "503, a page"
	want["html"], want["too-many-for-day"] = "200, a page", "429"
	for _, name := range []string{
		"heartbeats-alone", "cut-closed", "detail-body", "empty-body", "fewer-pictures", "no-pictures", "no-url", "text-seed",
		"nsfw", "wrong-size", "null-fields", "unknown-fields", "unknown-status", "silent-stream", "dropped-stream",
	} {
		want[name] = "200"
	}
	if diff := cmp.Diff(want, maps.Clone(outcomes)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	run := func(endpoint, fault string) map[string]any {
		_, _, v := e.do(http.MethodPost, "/fal.run/"+endpoint, `{"prompt":"x"}`, faltest.FaultHeader, fault)
		return v
	}
	image := func(v map[string]any) map[string]any {
		list, _ := v["images"].([]any)
		if len(list) != 1 {
			t.Fatalf("no picture in %v", v)
		}
		m, _ := list[0].(map[string]any)
		return m
	}
	if v := run("fal-ai/flux/schnell", "nsfw"); fmt.Sprint(v["has_nsfw_concepts"]) != "[true]" {
		t.Errorf("nsfw: %v", v)
	}
	if m := image(run("fal-ai/flux/schnell", "wrong-size")); m["width"] != 512.0 || m["height"] != 512.0 {
		t.Errorf("wrong size: %v", m)
	}
	if v := run("fal-ai/flux/schnell", "null-fields"); v["seed"] != nil || image(v)["width"] != nil || image(v)["url"] == nil {
		t.Errorf("null fields: %v", v)
	}
	if v := run("fal-ai/flux/schnell", "unknown-fields"); v["brand_new_field"] == nil {
		t.Errorf("unknown fields: %v", v)
	}
}
