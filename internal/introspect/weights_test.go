package introspect_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// bodies remembers what was posted to the models.
type bodies struct {
	http.RoundTripper
	mu  sync.Mutex
	all []string
}

func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "lora") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		b.mu.Lock()
		b.all = append(b.all, string(body))
		b.mu.Unlock()
	}
	return b.RoundTripper.RoundTrip(r)
}

// TestLocalWeights sends weights that are a file of this computer: they are
// uploaded, the body has their URL, and their size is known before.
func TestLocalWeights(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "style.safetensors")
	if err := os.WriteFile(name, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := faltest.NewServer(t).Client()
	seen := &bodies{RoundTripper: http.DefaultTransport}
	client.HTTPClient = &http.Client{Transport: seen}
	for _, r := range []fal.Request[fal.Images]{
		flux.DevLoRA{Prompt: "x", LoRAs: []flux.LoRA{{File: fal.Path(name), Scale: new(0.5)}}},
		qwen.Image2512LoRA{Prompt: "x", LoRAs: []qwen.LoRA{{File: fal.Path(name), Scale: new(0.5)}}},
	} {
		if u, ok := r.(interface{ Usage() fal.Usage }); !ok || u.Usage().LoRABytes != 7 {
			t.Errorf("%T: the size of the weights is not known", r)
		}
		serve(t, client, r)
	}
	if len(seen.all) != 2 {
		t.Fatalf("%d requests: %q", len(seen.all), seen.all)
	}
	for _, body := range seen.all {
		if !strings.Contains(body, `"loras":[{"path":"http`) || !strings.Contains(body, `,"scale":0.5}]`) {
			t.Errorf("sent %s", body)
		}
	}
}

// TestLocalWeightsOfGeneral writes a file and a scale for each layer at once.
func TestLocalWeightsOfGeneral(t *testing.T) {
	t.Parallel()
	known := fal.OutputFile{URL: "https://example.com/x", FileSize: 1000}.File()
	r := flux.General{
		Prompt:       "x",
		LoRAs:        []flux.GeneralLoRA{{File: known, LayerScales: map[string]float64{"a": 1}}},
		ControlLoRAs: []flux.ControlLoRA{{File: known, ControlImageURL: fal.URL("https://example.com/1.png"), Preprocess: "depth"}},
	}
	if p := problems(t, r); len(p) > 0 {
		t.Error(p)
	}
	const want = `{"prompt":"x","loras":[{"path":"https://example.com/x","scale":{"a":1}}],` +
		`"control_loras":[{"path":"https://example.com/x","control_image_url":"https://example.com/1.png","preprocess":"depth"}]}`
	if got := string(encoded(t, r)); got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	if n := r.Usage().LoRABytes; n != 2000 {
		t.Errorf("LoRABytes = %d, want 2000", n)
	}
	r.LoRAs[0].File, r.LoRAs[0].Path = fal.File{}, "https://huggingface.co/a/b/blob/main/c.safetensors"
	if p := problems(t, r); len(p) != 1 || p[0].Field != "loras[0].path" {
		t.Errorf("a page: %v", p)
	}
	if n := r.Usage().LoRABytes; n != 0 {
		t.Errorf("LoRABytes = %d with weights of unknown size", n)
	}
}
