package faltest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
)

// get fetches a file of a result.
func (e exchange) get(address any) []byte {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, fmt.Sprint(address), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return b
}

// pixels returns what a picture shows, in a few letters.
func pixels(t *testing.T, content []byte) string {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	flat := image.NewNRGBA(m.Bounds())
	draw.Draw(flat, flat.Rect, m, image.Point{}, draw.Src)
	sum := sha256.Sum256(flat.Pix)
	return fmt.Sprintf("%dx%d %s", flat.Rect.Dx(), flat.Rect.Dy(), hex.EncodeToString(sum[:4]))
}

// The same request makes the same pictures, pixel by pixel, as ever: tests of
// others may hold them.
func TestPicturesStayTheSame(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	gray := image.NewGray(image.Rect(0, 0, 200, 160))
	var b bytes.Buffer
	if err := png.Encode(&b, gray); err != nil {
		t.Fatal(err)
	}
	inline := "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
	sized := func(w, h int, prompt string) string {
		return fmt.Sprintf(`{"prompt":%q,"seed":7,"output_format":"png","image_size":{"width":%d,"height":%d}}`, prompt, w, h)
	}
	for _, tt := range []struct {
		name, endpoint, body, fault string
		want                        []string
	}{
		{"one pixel", "fal-ai/flux/schnell", sized(1, 1, "x"), "", []string{"1x1 d7e8850b"}},
		{"small", "fal-ai/flux/schnell", sized(64, 48, "x"), "", []string{"64x48 b9e267dd"}},
		{"colours", "fal-ai/flux/schnell", sized(120, 120, "#2ECC71 and #ff0000"), "", []string{"120x120 a84ebcfa"}},
		{"caption", "fal-ai/flux/schnell", sized(300, 240, "a mug"), "", []string{"300x240 6d705d32"}},
		{"caption of many words", "fal-ai/flux/schnell", sized(400, 200, strings.Repeat("many words ", 20)), "", []string{"400x200 261337b7"}},
		{"black", "fal-ai/flux/schnell", sized(16, 16, "x"), "nsfw", []string{"16x16 9503245a"}},
		{"layers", "fal-ai/qwen-image-layered", `{"image_url":"` + inline + `","num_layers":4,"seed":7}`, "", []string{"200x160 72e84181", "200x160 d0f11c21", "200x160 4729048b", "200x160 dcebcdc6"}},
	} {
		status, _, v := e.do(http.MethodPost, "/fal.run/"+tt.endpoint, tt.body, faltest.FaultHeader, tt.fault)
		list, _ := v["images"].([]any)
		var got []string
		for _, item := range list {
			p, _ := item.(map[string]any)
			got = append(got, pixels(t, e.get(p["url"])))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %d %v (-want +got)\n%s", tt.name, status, v["detail"], diff)
		}
	}
}

// Ratios are sizes of about a megapixel, in steps of 32.
func TestRatios(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	got := map[string]string{}
	want := map[string]string{
		"1:1":   "1024x1024",
		"16:9":  "1344x768",
		"9:16":  "768x1376",
		"21:9":  "1536x672",
		"4:3":   "1152x864",
		"3:2":   "1248x832",
		"2:3":   "832x1248",
		"100:1": "10240x96",
		"1:100": "96x9600",
		"101:1": "1024x1024",
		"1:101": "1024x1024",
		"0:1":   "1024x1024",
		"x:1":   "1024x1024",
		"1:x":   "1024x1024",
		"16":    "1024x1024",
	}
	for ratio := range want {
		_, _, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux-pro/v1.1-ultra", `{"prompt":"x","aspect_ratio":"`+ratio+`"}`)
		p := pictureOf(t, v)
		got[ratio] = fmt.Sprintf("%vx%v", p["width"], p["height"])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Everything that is asked is counted once, where it belongs.
func TestLedgerCounts(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	job := e.submit("fal-ai/flux/schnell", `{"prompt":"x","image_size":{"width":8,"height":8}}`)
	var result map[string]any
	before := srv.Ledger()
	for _, step := range []struct {
		name string
		do   func()
		want faltest.Ledger
	}{
		{"submit", func() { e.submit("fal-ai/flux/schnell", `{}`) }, faltest.Ledger{Posts: 1, Submissions: 1}},
		{"submit by GET", func() { e.do(http.MethodGet, "/queue.fal.run/fal-ai/flux/schnell", "") }, faltest.Ledger{Posts: 1}},
		{"run", func() { e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{}`) }, faltest.Ledger{Posts: 1, Runs: 1}},
		{"run by GET", func() { e.do(http.MethodGet, "/fal.run/fal-ai/flux/schnell", "") }, faltest.Ledger{Posts: 1}},
		{"status", func() { e.do(http.MethodGet, job+"/status", "") }, faltest.Ledger{Polls: 1}},
		{"stream", func() { e.do(http.MethodGet, job+"/status/stream", "") }, faltest.Ledger{Streams: 1}},
		{"result", func() { _, _, result = e.do(http.MethodGet, job, "") }, faltest.Ledger{Results: 1}},
		{"cancel", func() { e.do(http.MethodPut, job+"/cancel", "") }, faltest.Ledger{Cancels: 1}},
		{"download", func() { e.get(pictureOf(t, result)["url"]) }, faltest.Ledger{Downloads: 1}},
		{"platform", func() { e.do(http.MethodGet, "/api.fal.ai/v1/models/pricing?endpoint_id=x", "") }, faltest.Ledger{Platform: 1}},
	} {
		step.do()
		after := srv.Ledger()
		got := faltest.Ledger{
			Posts: after.Posts - before.Posts, Submissions: after.Submissions - before.Submissions, Runs: after.Runs - before.Runs,
			Polls: after.Polls - before.Polls, Streams: after.Streams - before.Streams, Results: after.Results - before.Results,
			Cancels: after.Cancels - before.Cancels, Uploads: after.Uploads - before.Uploads, Downloads: after.Downloads - before.Downloads,
			Platform: after.Platform - before.Platform,
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", step.name, diff)
		}
		before = after
	}
}

// What is wrong with an input is said in the service's form, whatever it is.
func TestProblems(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	var got strings.Builder
	for _, tt := range [][2]string{
		{"fal-ai/flux/dev", `[]`},
		{"fal-ai/flux/dev", `{"prompt":"x"} 7`},
		{"fal-ai/flux/dev", `{"prompt":`},
		{"fal-ai/flux/dev", `{"prompt":7}`},
		{"fal-ai/flux/dev", `{"prompt":""}`},
		{"fal-ai/flux/dev", `{"prompt":"x","num_images":5}`},
		{"fal-ai/flux/dev", `{"prompt":"x","num_images":0}`},
		{"fal-ai/flux/dev", `{"prompt":"x","num_images":1.5}`},
		{"fal-ai/flux/dev", `{"prompt":"x","num_images":"1"}`},
		{"fal-ai/flux/dev", `{"prompt":"x","guidance_scale":20.5}`},
		{"fal-ai/flux/dev", `{"prompt":"x","seed":"7"}`},
		{"fal-ai/flux/dev", `{"prompt":"x","enable_safety_checker":1}`},
		{"fal-ai/flux/dev", `{"prompt":"x","output_format":"tiff"}`},
		{"fal-ai/flux/dev", `{"prompt":"x","image_size":"huge"}`},
		{"fal-ai/flux/dev", `{"prompt":"x","image_size":7}`},
		{"fal-ai/flux/dev", `{"prompt":"x","image_size":{"width":14142,"height":14143}}`},
		{"fal-ai/flux/dev/image-to-image", `{"prompt":"x","image_url":7}`},
		{"fal-ai/flux/dev/image-to-image", `{"prompt":"x","image_url":"data:x"}`},
		{"fal-ai/flux-lora", `{"prompt":"x","loras":7}`},
		{"fal-ai/flux-lora", `{"prompt":"x","loras":[7]}`},
		{"fal-ai/flux-lora", `{"prompt":"x","loras":[{"path":7,"scale":9}]}`},
		{"fal-ai/flux-2-pro/edit", `{"prompt":"x","image_urls":[]}`},
		{"fal-ai/flux-lora", `{"prompt":"x","loras":[{"path":"p","scale":{"a":1}}]}`},
		{"fal-ai/flux-general", `{"prompt":"x","loras":[{"path":"p","scale":{"b":9,"a":9,"c":1}},{"path":"q","scale":"x"}]}`},
		{"fal-ai/flux-lora-fill", `{"prompt":"x","image_url":"https://x.example/a","mask_url":"https://x.example/b","fill_image":{"fill_image_url":"nothing"}}`},
		{"fal-ai/qwen-image-2/text-to-image", `{"prompt":"x","seed":2147483648}`},
		{"fal-ai/qwen-image-2/text-to-image", `{"prompt":"x","seed":2147483647}`},
		{"fal-ai/qwen-image-max/edit", `{"prompt":"x","image_urls":"https://x.example/a.png","negative_prompt":7}`},
	} {
		fmt.Fprintf(&got, "%s %s\n", tt[0], tt[1])
		_, _, v := e.do(http.MethodPost, "/fal.run/"+tt[0], tt[1])
		list, _ := v["detail"].([]any)
		for _, item := range list {
			p, _ := item.(map[string]any)
			text, _ := json.Marshal([]any{p["loc"], p["type"], p["msg"], p["ctx"], p["input"]})
			fmt.Fprintf(&got, "  %s\n", text)
		}
	}
	const golden = "testdata/problems.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A job that was not started in time is kept as long as others.
func TestTimedOutJobsAreKept(t *testing.T) {
	t.Parallel()
	var c clock
	e := exchange{t, faltest.NewServer(t, faltest.Clock(c.now), faltest.QueueTime(2*time.Second))}
	job := e.submit("fal-ai/flux/schnell", `{"prompt":"x"}`, "X-Fal-Request-Start-Timeout", "1")
	c.move(29 * 24 * time.Hour)
	if status, _, v := e.do(http.MethodGet, job, ""); status != http.StatusGatewayTimeout {
		t.Errorf("%d %v", status, v)
	}
}

// An upload is begun with a type and a name.
func TestUploadNeedsBoth(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	for body, want := range map[string]int{
		`{"content_type":"image/png","file_name":"a.png"}`: 200, `{"content_type":"image/png"}`: 422, `{"file_name":"a.png"}`: 422, `7`: 422,
	} {
		if status, _, v := e.do(http.MethodPost, "/rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3", body); status != want {
			t.Errorf("%s: %d %v, want %d", body, status, v, want)
		}
	}
}

// A fault for one endpoint leaves others alone, and strikes as often as it was
// asked to.
func TestFaultsOfOneEndpoint(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	srv.InjectFor("fal-ai/flux/dev", faltest.OpRun, faltest.ServerError(503), 2)
	var got []int
	for _, endpoint := range []string{"schnell", "dev", "schnell", "dev", "dev"} {
		status, _, _ := e.do(http.MethodPost, "/fal.run/fal-ai/flux/"+endpoint, `{"prompt":"x"}`)
		got = append(got, status)
	}
	if diff := cmp.Diff([]int{200, 503, 200, 503, 200}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	srv.Inject(faltest.OpSubmit, faltest.LockedPolls(3), 1)
	job := e.submit("fal-ai/flux/dev", `{"prompt":"x"}`)
	got = nil
	for range 5 {
		status, _, _ := e.do(http.MethodGet, job+"/status", "")
		got = append(got, status)
	}
	if diff := cmp.Diff([]int{403, 403, 403, 200, 200}, got); diff != "" {
		t.Errorf("polls (-want +got)\n%s", diff)
	}
	srv.Inject(faltest.OpRun, faltest.UnknownFields(), 1)
	if _, _, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux/dev", `{"prompt":"x"}`); fmt.Sprint(v["brand_new_field"]) != "map[deep:[1 2]]" {
		t.Errorf("unknown fields: %v", v)
	}
}

// A job that ended with 400 or more has failed, and its status says so.
func TestStatusOfFailures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	for status, want := range map[int][2]string{200: {"<nil>", "1"}, 399: {"<nil>", "1"}, 400: {"Invalid status code: 400", "0"}, 500: {"Invalid status code: 500", "0"}} {
		srv.Handle("me/model", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		job := e.submit("me/model", `{}`)
		_, _, v := e.do(http.MethodGet, job+"/status", "")
		got, header, _ := e.do(http.MethodGet, job, "")
		if said := [2]string{fmt.Sprint(v["error"]), header.Get("X-Fal-Billable-Units")}; got != status || said != want {
			t.Errorf("%d: %d, %q, want %q", status, got, said, want)
		}
	}
}

// The jobs of workflows have three parts in their addresses, others two.
func TestJobAddresses(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	e := exchange{t, srv}
	for endpoint, app := range map[string]string{
		"workflows/me/flow": "workflows/me/flow", "comfy/me/flow/part": "comfy/me/flow", "me/model/part/of": "me/model", "me/model": "me/model",
	} {
		srv.Handle(endpoint, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"x":1}`) })
		job := e.submit(endpoint, `{}`)
		if !strings.HasPrefix(job, srv.URL()+"/queue.fal.run/"+app+"/requests/") {
			t.Errorf("%s: the job is at %s", endpoint, job)
		}
		if status, _, v := e.do(http.MethodGet, job, ""); status != http.StatusOK || v["x"] != 1.0 {
			t.Errorf("%s: %d %v", endpoint, status, v)
		}
	}
}

// Weights are a safetensors file that can be read.
func TestTrainedFiles(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	_, header, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux-lora-portrait-trainer", `{"images_data_url":"https://x.example/a.zip","steps":1}`)
	if got := header.Get("X-Fal-Billable-Units"); got != "1000" {
		t.Errorf("billed %q, want the minimum of 1000 steps", got)
	}
	lora, _ := v["diffusers_lora_file"].(map[string]any)
	content := e.get(lora["url"])
	var head map[string]map[string]string
	if len(content) < 8 || binary.LittleEndian.Uint64(content) != uint64(len(content)-8) || json.Unmarshal(content[8:], &head) != nil ||
		head["__metadata__"]["simulated"] != "SIMULATED" || lora["file_size"] != float64(len(content)) {
		t.Errorf("%v: %q", lora, content)
	}
	config, _ := v["config_file"].(map[string]any)
	var said map[string]any
	if err := json.Unmarshal(e.get(config["url"]), &said); err != nil || said["steps"] != 1.0 || config["content_type"] != "application/json" {
		t.Errorf("%v: %v, %v", config, said, err)
	}
}

// A stream sends the result four times, over the time that the model takes, and
// a drawn seed fits into 63 bits.
func TestStreamSteps(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(80*time.Millisecond))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"/fal.run/fal-ai/flux-lora/stream", strings.NewReader(`{"prompt":"x","image_size":{"width":8,"height":8}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Key "+faltest.Key)
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if n := strings.Count(string(text), "data: {"); n != 4 || time.Since(began) < 80*time.Millisecond {
		t.Errorf("%d events in %v: %s", n, time.Since(began), text)
	}
	e := exchange{t, faltest.NewServer(t)}
	for range 20 {
		_, _, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux/dev", `{"prompt":"x"}`)
		if seed, _ := v["seed"].(float64); seed > math.MaxInt64 {
			t.Errorf("seed %v", v["seed"])
		}
	}
}

// A server on all addresses is reached at the first address of the machine that
// others know, and one on a single address there.
func TestReachable(t *testing.T) {
	t.Parallel()
	parse := func(s string) *net.IPNet {
		ip, network, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		network.IP = ip
		return network
	}
	all, one := &net.TCPAddr{IP: net.IPv6unspecified, Port: 8080}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	own := []net.Addr{parse("127.0.0.1/8"), parse("fe80::1/64"), parse("2001:db8::1/64"), parse("169.254.1.1/16"), parse("192.168.1.7/24"), parse("10.0.0.9/8")}
	for _, tt := range []struct {
		listens net.Addr
		own     []net.Addr
		want    string
	}{
		{all, own, "192.168.1.7:8080"}, {all, own[:4], "localhost:8080"}, {all, nil, "localhost:8080"}, {one, own, "127.0.0.1:8080"},
		{&net.TCPAddr{IP: net.IPv4zero, Port: 80}, own[5:], "10.0.0.9:80"}, {&net.UnixAddr{Name: "/s", Net: "unix"}, own, "/s"},
	} {
		if got := faltest.Reachable(tt.listens, tt.own); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.listens, got, tt.want)
		}
	}
}
