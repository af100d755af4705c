package faltest_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// Pictures are real, of the size and in the format that was asked for.
func TestPictures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	prompt := "a wall painted in color #2ECC71 behind a sign reading 'HELLO'"
	for _, tt := range []struct {
		name          string
		req           fal.Request[fal.Images]
		width, height int
		format        string
	}{
		{"default size and format", flux.Pro2{Prompt: prompt}, 1024, 768, "jpeg"},
		{"odd size", flux.Pro2{Prompt: prompt, ImageSize: fal.Size(333, 1), OutputFormat: fal.PNG}, 333, 1, "png"},
		{"preset", flux.Schnell{Prompt: prompt, ImageSize: fal.Portrait16x9, OutputFormat: fal.PNG}, 576, 1024, "png"},
		{"large", qwen.Image{Prompt: prompt, ImageSize: fal.Size(1920, 1080)}, 1920, 1080, "png"},
		{"webp", qwen.Image3{Prompt: prompt, ImageSize: fal.Size(640, 512), OutputFormat: fal.WebP}, 640, 512, "webp"},
		{"size class and ratio", flux.Image3{Prompt: prompt, AspectRatio: flux.Ratio2x3}, 832, 1248, "jpeg"},
		{"size class alone", flux.Image3{Prompt: prompt, Resolution: flux.Resolution2K}, 2048, 2048, "jpeg"},
		{"size class of an edit", flux.Image3Edit{Prompt: prompt, ImageURLs: []fal.File{fal.Picture(image.NewGray(image.Rect(0, 0, 600, 300)))}, Resolution: flux.Resolution768}, 1087, 544, "jpeg"},
		{"rounded sides", qwen.Image21{Prompt: prompt, ImageSize: fal.Size(1000, 17)}, 992, 32, "png"},
		{"data URL", flux.Schnell{Prompt: prompt, ImageSize: fal.Square, SyncMode: true}, 512, 512, "jpeg"},
	} {
		out, err := fal.Subscribe(t.Context(), client, tt.req)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		r, err := client.Download(t.Context(), out.Images[0])
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		content, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			t.Error(err)
		}
		m, format, err := image.Decode(bytes.NewReader(content))
		if err != nil || format != tt.format || m.Bounds().Dx() != tt.width || m.Bounds().Dy() != tt.height {
			t.Errorf("%s: got %s, %v, want %dx%d %s", tt.name, format, err, tt.width, tt.height, tt.format)
		}
		if out.Images[0].Width != tt.width || out.Images[0].Height != tt.height || out.Images[0].ContentType != "image/"+tt.format {
			t.Errorf("%s: the result says %+v", tt.name, out.Images[0])
		}
	}
}

func TestPicturesFollowTheSeed(t *testing.T) {
	t.Parallel()
	client := faltest.NewServer(t).Client()
	picture := func(seed *uint64) ([]byte, uint64) {
		t.Helper()
		out, err := fal.Run(t.Context(), client, flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(256, 256), Seed: seed, OutputFormat: fal.PNG})
		if err != nil {
			t.Fatal(err)
		}
		r, err := client.Download(t.Context(), out.Images[0])
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b, _ := io.ReadAll(r)
		return b, out.Seed
	}
	first, drawn := picture(nil)
	again, _ := picture(&drawn)
	other, otherSeed := picture(nil)
	if !bytes.Equal(first, again) {
		t.Error("the same seed gives another picture")
	}
	if bytes.Equal(first, other) || drawn == otherSeed {
		t.Error("another seed gives the same picture")
	}
	if _, big := picture(fal.Seed(18446744073709551615)); big != 18446744073709551615 {
		t.Errorf("the largest seed became %d", big)
	}
}

// A colour that the prompt names is in the picture.
func TestPicturesShowColors(t *testing.T) {
	t.Parallel()
	client := faltest.NewServer(t).Client()
	out, err := fal.Run(t.Context(), client, flux.Pro2{Prompt: "a wall in color #12AB34", OutputFormat: fal.PNG})
	if err != nil {
		t.Fatal(err)
	}
	m, err := client.Decode(t.Context(), out.Images[0])
	if err != nil {
		t.Fatal(err)
	}
	for x := range m.Bounds().Dx() { // a disc may cover a part of the first row
		if color.NRGBAModel.Convert(m.At(x, 0)) == (color.NRGBA{0x12, 0xab, 0x34, 255}) {
			return
		}
	}
	t.Error("the colour is not in the first row")
}

// post sends a body as no client of ours would.
func post(t *testing.T, url, key, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(b)
}

func TestValidation(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	for _, tt := range []struct{ endpoint, body, loc, kind string }{
		{"fal-ai/flux-2-pro", `{`, `body`, "json_invalid"},
		{"fal-ai/flux-2-pro", `[]`, `body`, "model_attributes_type"},
		{"fal-ai/flux-2-pro", `{}`, `body.prompt`, "missing"},
		{"fal-ai/flux-2-pro", `{"prompt":""}`, `body.prompt`, "string_too_short"},
		{"fal-ai/flux-2-pro", `{"prompt":7}`, `body.prompt`, "string_type"},
		{"fal-ai/flux-2-pro", `{"prompt":null}`, `body.prompt`, "string_type"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","negative_prompt":"y"}`, `body.negative_prompt`, "extra_forbidden"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","image_size":"huge"}`, `body.image_size`, "one_of"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","image_size":"auto"}`, `body.image_size`, "one_of"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","image_size":{"width":0,"height":9}}`, `body.image_size.width`, "greater_than"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","image_size":{"width":9,"height":14143}}`, `body.image_size.height`, "less_than_equal"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","image_size":{"width":9.5,"height":9}}`, `body.image_size.width`, "int_from_float"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","seed":-1}`, `body.seed`, "int_type"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","seed":1.5}`, `body.seed`, "int_type"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","safety_tolerance":"6"}`, `body.safety_tolerance`, "one_of"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","output_format":"webp"}`, `body.output_format`, "one_of"},
		{"fal-ai/flux-2-pro", `{"prompt":"x","sync_mode":"yes"}`, `body.sync_mode`, "bool_type"},
		{"fal-ai/flux/schnell", `{"prompt":"x","num_inference_steps":13}`, `body.num_inference_steps`, "less_than_equal"},
		{"fal-ai/flux/schnell", `{"prompt":"x","num_inference_steps":"4"}`, `body.num_inference_steps`, "float_type"},
		{"fal-ai/flux/schnell", `{"prompt":"x","guidance_scale":0.5}`, `body.guidance_scale`, "greater_than_equal"},
		{"fal-ai/flux-2-pro/edit", `{"prompt":"x","image_urls":[]}`, `body.image_urls`, "sequence_too_short"},
		{"fal-ai/flux-2-pro/edit", `{"prompt":"x","image_urls":"https://x"}`, `body.image_urls`, "list_type"},
		{"fal-ai/flux-2-pro/edit", `{"prompt":"x","image_urls":["/etc/passwd"]}`, `body.image_urls.0`, "file_download_error"},
		{"fal-ai/flux-2-pro/edit", `{"prompt":"x","image_urls":["` + srv.URL() + `/v3.fal.media/files/b/none"]}`, `body.image_urls.0`, "file_download_error"},
		{"fal-ai/qwen-image", `{"prompt":"x","loras":[{"path":"p","scale":5}]}`, `body.loras.0.scale`, "less_than_equal"},
		{"fal-ai/qwen-image", `{"prompt":"x","loras":[{"scale":1}]}`, `body.loras.0.path`, "missing"},
		{"fal-ai/qwen-image", `{"prompt":"x","loras":[7]}`, `body.loras.0`, "model_attributes_type"},
	} {
		status, header, body := post(t, srv.URL()+"/fal.run/"+tt.endpoint, "Key "+faltest.Key, tt.body)
		var answer struct {
			Detail []struct {
				Loc  []any
				Type string
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusUnprocessableEntity || len(answer.Detail) != 1 {
			t.Errorf("%s: %d %s", tt.body, status, body)
			continue
		}
		var loc []string
		for _, l := range answer.Detail[0].Loc {
			switch l := l.(type) {
			case string:
				loc = append(loc, l)
			case float64:
				loc = append(loc, strconv.Itoa(int(l)))
			}
		}
		if got := strings.Join(loc, "."); got != tt.loc || answer.Detail[0].Type != tt.kind {
			t.Errorf("%s: %s %s, want %s %s", tt.body, got, answer.Detail[0].Type, tt.loc, tt.kind)
		}
		if header.Get("X-Fal-Billable-Units") != "0" {
			t.Errorf("%s: billed %q", tt.body, header.Get("X-Fal-Billable-Units"))
		}
	}
	for _, body := range []string{
		`{"prompt":"x","seed":18446744073709551615,"num_inference_steps":4.0}`, `{"prompt":"x","image_size":null,"seed":null}`,
		`{"prompt":"x","image_size":{}}`,
	} {
		if status, _, got := post(t, srv.URL()+"/fal.run/fal-ai/flux/schnell", "Key "+faltest.Key, body); status != http.StatusOK {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
}

func FuzzInput(f *testing.F) {
	srv := faltest.New()
	f.Cleanup(srv.Close)
	for _, body := range []string{`{"prompt":"x"}`, `{"prompt":"x","image_size":{"width":1e999}}`, `{"loras":[{"scale":{}}]}`, `nul`, `{"seed":1e400,"num_images":-1}`} {
		f.Add("fal-ai/qwen-image", body)
		f.Add("fal-ai/flux-2-pro/edit", body)
	}
	f.Fuzz(func(t *testing.T, endpoint, body string) {
		if strings.ContainsAny(endpoint, "?#% \\\"") || strings.ContainsFunc(endpoint, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		status, _, got := post(t, srv.URL()+"/fal.run/"+endpoint, "Key "+faltest.Key, body)
		if status >= 500 || !json.Valid([]byte(got)) {
			t.Errorf("%s %s: %d %s", endpoint, body, status, got)
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	for key, want := range map[string]string{
		"":                         "Invalid Key Authorization header format",
		"Bearer x:y":               "Invalid Key Authorization header format",
		"Key nocolon":              "Invalid Key Authorization header format",
		"Key other:key":            "No user found for Key ID and Secret",
		"Key " + faltest.Key + "x": "No user found for Key ID and Secret",
	} {
		for _, path := range []string{"/fal.run/fal-ai/flux/schnell", "/queue.fal.run/fal-ai/flux/schnell", "/rest.fal.ai/storage/upload/initiate"} {
			if status, _, body := post(t, srv.URL()+path, key, `{"prompt":"x"}`); status != http.StatusUnauthorized || !strings.Contains(body, want) {
				t.Errorf("%q at %s: %d %s", key, path, status, body)
			}
		}
	}
	if l := srv.Ledger(); l.Posts != 0 || len(l.Bills) != 0 {
		t.Errorf("the ledger says %+v", l)
	}
}
