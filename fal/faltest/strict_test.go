package faltest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/falimage/falimage-go/fal/faltest"
)

// What the service would not take is not taken here.
func TestStrict(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	for name, tt := range map[string]struct {
		path, body, kind string
		status           int
	}{
		"JSON":                     {"/fal.run/fal-ai/flux/schnell", `{"prompt":"x"}`, "application/json; charset=utf-8", 200},
		"text":                     {"/fal.run/fal-ai/flux/schnell", `{"prompt":"x"}`, "text/plain", 422},
		"something after it":       {"/fal.run/fal-ai/flux/schnell", `{"prompt":"x"} x`, "application/json", 422},
		"stream":                   {"/fal.run/fal-ai/flux-lora/stream", `{"prompt":"x"}`, "application/json", 200},
		"stream where there is no": {"/fal.run/fal-ai/flux-2-pro/stream", `{"prompt":"x"}`, "application/json", 404},
	} {
		if status, _, v := e.do(http.MethodPost, tt.path, tt.body, "Content-Type", tt.kind); status != tt.status {
			t.Errorf("%s: status %d, want %d: %v", name, status, tt.status, v)
		}
	}
}

// A fault strikes the operation that it was injected for, and as often.
func TestFaultsByOperation(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	srv.Inject(faltest.OpStream, faltest.LateFailure(500, "internal_server_error", "no"), 2)
	if status, _, _ := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x"}`); status != 200 {
		t.Errorf("a fault for streams struck a run: %d", status)
	}
	var got []int
	for range 3 {
		status, _, _ := e.do(http.MethodPost, "/fal.run/fal-ai/flux-lora/stream", `{"prompt":"x"}`)
		got = append(got, status)
	}
	if fmt.Sprint(got) != "[500 500 200]" {
		t.Errorf("statuses %v", got)
	}
}

// Any number of pictures can be made, asked for again, and told apart by ids
// that no other server gives.
func TestManyPictures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	var urls []string
	for range 80 {
		_, _, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x","image_size":{"width":32,"height":32}}`)
		images, _ := v["images"].([]any)
		image, _ := images[0].(map[string]any)
		url := fmt.Sprint(image["url"])
		if status, _, _ := e.do(http.MethodGet, url, "", "Authorization", ""); status != 200 {
			t.Fatalf("%s: status %d", url, status)
		}
		urls = append(urls, url)
	}
	for _, url := range urls[:3] { // these are drawn anew
		if status, header, _ := e.do(http.MethodGet, url, "", "Authorization", ""); status != 200 || header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%s: status %d, %v", url, status, header)
		}
	}
	other := exchange{t, faltest.NewServer(t)}
	_, a, _ := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x"}`)
	_, b, _ := other.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x"}`)
	if a.Get("X-Fal-Request-Id")[:8] == b.Get("X-Fal-Request-Id")[:8] {
		t.Errorf("ids %s and %s", a.Get("X-Fal-Request-Id"), b.Get("X-Fal-Request-Id"))
	}
}
