package faltest_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal/faltest"
)

// clock is a time that moves when it is told to.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC).Add(time.Duration(c.passed.Load()))
}

func (c *clock) move(d time.Duration) { c.passed.Add(int64(d)) }

// submit returns the URL of a new job.
func (e exchange) submit(endpoint, body string, header ...string) string {
	e.t.Helper()
	status, _, v := e.do(http.MethodPost, "/queue.fal.run/"+endpoint, body, header...)
	if status != http.StatusOK {
		e.t.Fatalf("submit: %d %v", status, v)
	}
	return fmt.Sprint(v["response_url"])
}

// Results go when fal lets them go: large ones after six minutes, others after
// an hour, stored ones after thirty days.
func TestResultsExpire(t *testing.T) {
	t.Parallel()
	var c clock
	srv := faltest.NewServer(t, faltest.Clock(c.now), faltest.RunTime(time.Minute))
	srv.Handle("me/large", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"x":%q}`, strings.Repeat("x", 9_992))
	})
	srv.Handle("me/small", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"x":%q}`, strings.Repeat("x", 9_991))
	})
	e := exchange{t, srv}
	inline := `{"prompt":"x","sync_mode":true,"image_size":{"width":640,"height":640}}`
	for _, tt := range []struct {
		endpoint, body string
		header         []string
		lasts          time.Duration
	}{
		{"fal-ai/flux/schnell", `{"prompt":"x"}`, []string{"X-Fal-Store-IO", "0"}, time.Hour},
		{"fal-ai/flux/schnell", `{"prompt":"x"}`, nil, 30 * 24 * time.Hour},
		{"fal-ai/flux/schnell", inline, nil, 6 * time.Minute}, // never stored
		{"me/large", `{}`, []string{"X-Fal-Store-IO", "0"}, 6 * time.Minute},
		{"me/small", `{}`, []string{"X-Fal-Store-IO", "0"}, time.Hour},
		{"me/large", `{}`, nil, 30 * 24 * time.Hour},
	} {
		address := e.submit(tt.endpoint, tt.body, tt.header...)
		c.move(time.Minute + tt.lasts - time.Millisecond)
		if status, _, v := e.do(http.MethodGet, address, ""); status != http.StatusOK {
			t.Errorf("%s %v: %d %.200v before %v", tt.endpoint, tt.header, status, v, tt.lasts)
		}
		c.move(time.Millisecond)
		for _, path := range []string{"", "/status"} {
			if status, _, v := e.do(http.MethodGet, address+path, ""); status != http.StatusNotFound || v["status"] != "NOT_FOUND" {
				t.Errorf("%s %v: %d %.200v after %v", tt.endpoint, tt.header, status, v, tt.lasts)
			}
		}
	}
}

// A server that has made many jobs holds those that may still be asked for.
func TestJobsAreReleased(t *testing.T) {
	var c clock
	srv := faltest.New(faltest.Clock(c.now))
	t.Cleanup(srv.Close)
	e := exchange{t, srv}
	const body = `{"prompt":"x"}`
	for range 20 {
		e.submit("fal-ai/flux/schnell", body, "X-Fal-Store-IO", "0")
		e.submit("fal-ai/flux/schnell", body)
	}
	if n := srv.Jobs(); n != 40 {
		t.Errorf("%d jobs, want 40", n)
	}
	c.move(time.Hour)
	e.submit("fal-ai/flux/schnell", body)
	if n := srv.Jobs(); n != 21 {
		t.Errorf("%d jobs after an hour, want 21", n)
	}
	*faltest.StoredMost = 5
	defer func() { *faltest.StoredMost = 10_000 }()
	e.submit("fal-ai/flux/schnell", body)
	if n := srv.Jobs(); n != 5 { // of those whose hour is over, the oldest go
		t.Errorf("%d stored jobs, want 5", n)
	}
	for range 10 {
		e.submit("fal-ai/flux/schnell", body)
	}
	if n := srv.Jobs(); n != 12 { // what is younger than an hour stays
		t.Errorf("%d stored jobs, want 12", n)
	}
	c.move(30 * 24 * time.Hour)
	e.submit("fal-ai/flux/schnell", body)
	if n := srv.Jobs(); n != 1 {
		t.Errorf("%d jobs after thirty days, want 1", n)
	}
}

// Uploads that there is no room for are gone, as if they had expired.
func TestUploadsAreBounded(t *testing.T) {
	before := *faltest.UploadBytes
	*faltest.UploadBytes = 25
	t.Cleanup(func() { *faltest.UploadBytes = before })
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	upload := func(name string) (put, file string) {
		t.Helper()
		_, _, v := e.do(http.MethodPost, "/rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3", `{"content_type":"image/png","file_name":"`+name+`"}`)
		put, file = fmt.Sprint(v["upload_url"]), fmt.Sprint(v["file_url"])
		if status, _, _ := e.do(http.MethodPut, put, "\x89PNG\r\n\x1a\n12", "Content-Type", "image/png", "Authorization", ""); status != http.StatusOK {
			t.Fatalf("upload: %d", status)
		}
		return put, file
	}
	there := func(file string) bool {
		status, _, _ := e.do(http.MethodGet, file, "", "Authorization", "")
		return status == http.StatusOK
	}
	put, first := upload("a b?%.png") // any name will do
	_, second := upload("b.png")
	// The first is sent again, and takes no more room for it.
	if status, _, _ := e.do(http.MethodPut, put, "\x89PNG\r\n\x1a\n34", "Content-Type", "image/png", "Authorization", ""); status != http.StatusOK {
		t.Errorf("second upload: %d", status)
	}
	if !there(first) || !there(second) {
		t.Error("uploads that there is room for are gone")
	}
	_, third := upload("c.png")
	if !there(first) || there(second) || !there(third) {
		t.Errorf("there: %v %v %v, want the oldest to be gone", there(first), there(second), there(third))
	}
	for file, want := range map[string]int{first: http.StatusOK, second: http.StatusUnprocessableEntity} {
		body := `{"prompt":"x","image_urls":["` + file + `"]}`
		if status, _, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux-2-pro/edit", body); status != want {
			t.Errorf("%s: %d %v, want %d", file, status, v, want)
		}
	}
}

// A picture's size is known without drawing it: here of one that would take
// 800 MB.
func TestSizesWithoutDrawing(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	_, _, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux-2-pro", `{"prompt":"x","image_size":{"width":14142,"height":14142}}`)
	address := pictureOf(t, v)["url"]
	_, header, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux-2-pro/edit", fmt.Sprintf(`{"prompt":"x","image_urls":[%q],"image_size":"square_hd"}`, address))
	if got := header.Get("X-Fal-Billable-Units"); got != "3" { // 1 for the output, 4 x 0.5 for the input
		t.Errorf("billed %q, want 3: %v", got, v)
	}
}

func pictureOf(t *testing.T, result map[string]any) map[string]any {
	t.Helper()
	images, _ := result["images"].([]any)
	if len(images) == 0 {
		t.Fatalf("no picture in %v", result)
	}
	image, _ := images[0].(map[string]any)
	return image
}

// Of what is here, the first bytes tell whether it is a picture or an archive.
func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	data := func(content string) string {
		return "data:application/octet-stream;base64," + base64.StdEncoding.EncodeToString([]byte(content))
	}
	file := func(content string) string { return srv.File("x", "image/png", []byte(content)) }
	for _, tt := range []struct{ field, url, want string }{
		{"image", data("root:x:0:0"), "image_load_error"},
		{"image", data("<html>"), "image_load_error"},
		{"image", data("PK\x03\x04"), "image_load_error"},
		{"image", data(""), "image_load_error"},
		{"image", "data:image/svg+xml,%3Csvg%3E", "image_load_error"},
		{"image", "data:image/png;base64", "file_download_error"},
		{"image", file("%PDF-1.7"), "image_load_error"},
		{"image", srv.URL() + "/v3.fal.media/files/b/none", "file_download_error"},
		{"image", "file:///etc/passwd", "file_download_error"},
		{"image", "./a.png", "file_download_error"},
		{"image", "https://elsewhere.example/x.html", ""}, // nobody fetches it
		{"image", "https://elsewhere.example/v3.fal.media/x.html", ""},
		{"image", data("\x89PNG\r\n\x1a\n"), ""},
		{"image", file("\xff\xd8\xff\xe0"), ""},
		{"image", file("GIF89a"), ""},
		{"image", file("BM"), ""},
		{"image", file("RIFF\x00\x00\x00\x00WEBPVP8 "), ""},
		{"image", file("II*\x00"), ""},
		{"image", file("MM\x00*"), ""},
		{"image", file("\x00\x00\x00\x20ftypavif"), ""},
		{"image", file("\x00\x00\x00\x20ftypheic"), ""},
		{"image", file("\x00\x00\x00\x20ftypisom"), "image_load_error"}, // a film
		{"set", data("PK\x03\x04"), ""},
		{"set", data("\x89PNG\r\n\x1a\n"), "invalid_archive"},
		{"set", file("hello"), "invalid_archive"},
		{"set", "https://elsewhere.example/set.zip", ""},
	} {
		endpoint, body := "fal-ai/flux/dev/image-to-image", `{"prompt":"x","image_url":%q}`
		if tt.field == "set" {
			endpoint, body = "fal-ai/flux-2-trainer", `{"image_data_url":%q}`
		}
		status, _, got := post(t, srv.URL()+"/fal.run/"+endpoint, "Key "+faltest.Key, fmt.Sprintf(body, tt.url))
		if tt.want == "" {
			if status != http.StatusOK {
				t.Errorf("%s %q: %d %s", tt.field, tt.url, status, got)
			}
		} else if status != http.StatusUnprocessableEntity || !strings.Contains(got, `"type":"`+tt.want+`"`) {
			t.Errorf("%s %q: %d %s, want %s", tt.field, tt.url, status, got, tt.want)
		}
	}
}

// BenchmarkSubmit submits where so many jobs were submitted before:
//
//	JOBS=30000 go test -run - -bench Submit ./fal/faltest
func BenchmarkSubmit(b *testing.B) {
	jobs, err := strconv.Atoi(os.Getenv("JOBS"))
	if err != nil {
		jobs = 1000
	}
	srv := faltest.New()
	b.Cleanup(srv.Close)
	for range jobs {
		srv.Submit("fal-ai/flux/schnell", `{"prompt":"x"}`)
	}
	b.ReportAllocs()
	for b.Loop() {
		srv.Submit("fal-ai/flux/schnell", `{"prompt":"x"}`)
	}
}
