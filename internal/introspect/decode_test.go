package introspect_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/qwen"
)

func TestDecodeProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, id, body string
		want           []string // the fields, in order
	}{
		{"no object", "fal-ai/flux-2-pro", `"a mug"`, []string{"body", "prompt"}},
		{"no JSON", "fal-ai/flux-2-pro", `{"prompt":`, []string{"body", "prompt"}},
		{"something after", "fal-ai/flux-2-pro", `{"prompt":"a"} {}`, []string{"body", "prompt"}},
		{"unknown field", "fal-ai/flux-2-pro", `{"prompt":"a","steps":4}`, []string{"steps"}},
		{"twice", "fal-ai/flux-2-pro", `{"prompt":"a","prompt":"b"}`, []string{"prompt"}},
		{"null", "fal-ai/flux-2-pro", `{"prompt":null}`, []string{"prompt"}},
		{"null where it is allowed", "fal-ai/flux-2-pro", `{"prompt":"a","seed":null}`, nil},
		{"wrong types", "fal-ai/flux/schnell", `{"prompt":1,"num_images":"4","seed":-1,"sync_mode":0,"guidance_scale":[]}`,
			[]string{"prompt", "num_images", "seed", "sync_mode", "guidance_scale"}},
		{"wrong and out of range", "fal-ai/flux/schnell", `{"prompt":"a","num_images":9,"acceleration":7}`, []string{"acceleration", "num_images"}},
		{"zero given", "fal-ai/flux/schnell", `{"prompt":"a","num_inference_steps":0,"num_images":0}`, []string{"num_inference_steps", "num_images"}},
		{"zero accepted", "fal-ai/qwen-image", `{"prompt":"a","guidance_scale":0,"sync_mode":false}`, nil},
		{"whole numbers in other forms", "fal-ai/flux/schnell", `{"prompt":"a","num_inference_steps":4.0,"num_images":2e0,"seed":1.8e3,"image_size":{"width":1.024e3,"height":768.0}}`, nil},
		{"no whole numbers", "fal-ai/flux/schnell", `{"prompt":"a","num_inference_steps":4.5,"num_images":1e-1,"seed":1e99,"image_size":{"width":1024.5,"height":768}}`,
			[]string{"num_inference_steps", "num_images", "seed", "image_size"}},
		{"a number of many digits", "fal-ai/flux/schnell", `{"prompt":"a","num_images":1e999999999,"num_inference_steps":1e-999999999,"seed":0e5}`, []string{"num_images", "num_inference_steps"}},
		{"turbo with the defaults", "fal-ai/qwen-image", `{"prompt":"a","use_turbo":true,"num_inference_steps":30,"guidance_scale":2.5}`, nil},
		{"empty enum", "fal-ai/flux/schnell", `{"prompt":"a","output_format":""}`, []string{"output_format"}},
		{"fraction of a step", "fal-ai/flux/schnell", `{"prompt":"a","num_inference_steps":1.5}`, []string{"num_inference_steps"}},
		{"size as text", "fal-ai/flux/schnell", `{"prompt":"a","image_size":"1024x768"}`, []string{"image_size"}},
		{"size with more", "fal-ai/flux/schnell", `{"prompt":"a","image_size":{"width":1,"height":1,"depth":1}}`, []string{"image_size"}},
		{"size of text", "fal-ai/flux/schnell", `{"prompt":"a","image_size":{"width":"1"}}`, []string{"image_size"}},
		{"half a size", "fal-ai/flux/schnell", `{"prompt":"a","image_size":{"width":640}}`, nil},
		{"size null", "fal-ai/flux-2/edit", `{"prompt":"a","image_urls":["https://example.com/1.png"],"image_size":null}`, nil},
		{"local file", "fal-ai/flux-2-pro/edit", `{"prompt":"a","image_urls":["/etc/passwd"]}`, []string{"image_urls[0]"}},
		{"no files", "fal-ai/flux-2-pro/edit", `{"prompt":"a","image_urls":[]}`, []string{"image_urls"}},
		{"one file as text", "fal-ai/flux-2-pro/edit", `{"prompt":"a","image_urls":"https://example.com/1.png"}`, []string{"image_urls"}},
		{"LoRA", "fal-ai/qwen-image", `{"prompt":"a","loras":[{"path":"a/b","scale":5},{"weight":1},7]}`,
			[]string{"loras[1].weight", "loras[2]", "loras[0].scale", "loras[1].path"}},
		{"no list", "fal-ai/qwen-image", `{"prompt":"a","loras":{"path":"a/b"}}`, []string{"loras"}},
		{"scale of layers", "fal-ai/flux-general", `{"prompt":"a","loras":[{"path":"a/b","scale":{"x":1}}]}`, nil},
		{"scale of layers, elsewhere", "fal-ai/flux-lora", `{"prompt":"a","loras":[{"path":"a/b","scale":{"x":1}}]}`, []string{"loras[0].scale"}},
		{"one fill image", "fal-ai/flux-general", `{"prompt":"a","fill_image":{"fill_image_url":"https://example.com/1.png"}}`, nil},
		{"fill image with more", "fal-ai/flux-general", `{"prompt":"a","fill_image":{"in_context_fill":true}}`, []string{"fill_image.in_context_fill"}},
		{"prompt needed by the preset", "fal-ai/flux-2-lora-gallery/virtual-tryon", `{"image_urls":["https://example.com/1.png","https://example.com/2.png"]}`, []string{"prompt"}},
		{"prompt not needed by the preset", "fal-ai/flux-2-lora-gallery/add-background", `{"image_urls":["https://example.com/1.png"]}`, nil},
		{"preset as a field", "fal-ai/flux-2-lora-gallery/realism", `{"prompt":"a","preset":"realism"}`, []string{"preset"}},
		{"turbo with steps", "fal-ai/qwen-image", `{"prompt":"a","use_turbo":true,"num_inference_steps":20,"guidance_scale":1}`,
			[]string{"num_inference_steps", "guidance_scale"}},
		{"frame at a URL", "fal-ai/flux-2/klein/realtime", `{"image_url":"https://example.com/1.jpg"}`, []string{"image_url"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeAny(tt.id, []byte(tt.body))
			var fields []string
			for _, p := range problemsOf(t, err) {
				fields = append(fields, p.Field)
				if p.Message == "" {
					t.Errorf("%s: no message", p.Field)
				}
			}
			if diff := cmp.Diff(tt.want, fields); diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", tt.body, err, diff)
			}
			if (got == nil) != (err != nil) {
				t.Errorf("request %v with error %v", got, err)
			}
		})
	}
}

func decodeAny(id string, body []byte) (any, error) {
	if strings.Contains(id, "qwen") {
		return qwen.Decode(id, body)
	}
	return flux.Decode(id, body)
}

func TestDecodeUnknown(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "fal-ai/qwen-image", "fal-ai/flux-2-lora-gallery", "fal-ai/flux-3"} {
		if got, err := flux.Decode(id, []byte(`{"prompt":"a"}`)); err == nil {
			t.Errorf("%q: decoded %v, want an error", id, got)
		}
	}
}

// TestLayerScales decodes what only the flux-general endpoint takes.
func TestLayerScales(t *testing.T) {
	t.Parallel()
	body := `{"prompt":"a","loras":[{"path":"a/b","scale":{"double_blocks":0.5,"single_blocks":1}},{"path":"c/d","scale":0}],` +
		`"fill_image":{"fill_image_url":["https://example.com/1.png"]}}`
	got, err := flux.Decode("fal-ai/flux-general", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := flux.General{
		Prompt: "a",
		LoRAs: []flux.GeneralLoRA{
			{Path: "a/b", LayerScales: map[string]float64{"double_blocks": 0.5, "single_blocks": 1}},
			{Path: "c/d", Scale: new(0.0)},
		},
		FillImage: flux.FillImage{FillImageURL: []fal.File{fal.URL("https://example.com/1.png")}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v, want %+v", got, want)
	}
	if again := encoded(t, got); string(again) != body {
		t.Errorf("encoded %s, want %s", again, body)
	}
	want.LoRAs[0].Scale = new(1.0)
	if p := problems(t, want); len(p) != 1 || p[0].Field != "loras[0].scale" {
		t.Errorf("one scale beside those of layers: %v", p)
	}
}

// TestModels checks the descriptions against the types they describe.
func TestModels(t *testing.T) {
	t.Parallel()
	for _, m := range append(flux.Models(), qwen.Models()...) {
		v := reflect.ValueOf(m.New())
		if v.Kind() != reflect.Struct {
			t.Fatalf("%s: New returns a %s", m.Endpoint, v.Kind())
		}
		if m.Endpoint == "" || m.Title == "" || m.Task == "" || m.For == "" || m.AsOf == "" {
			t.Errorf("%s: incomplete: %+v", m.Endpoint, m)
		}
		var tags []string
		for f := range v.Type().Fields() {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
				tags = append(tags, name)
			}
		}
		var names []string
		for _, f := range m.Fields {
			names = append(names, f.Name)
			checkDescription(t, m.Endpoint, f, v.Type())
		}
		if diff := cmp.Diff(tags, names); diff != "" {
			t.Errorf("%s: -type +description:\n%s", m.Endpoint, diff)
		}
	}
}

func checkDescription(t *testing.T, where string, f schema.Field, typ reflect.Type) {
	t.Helper()
	field, ok := typ.FieldByName(f.GoName)
	if !ok {
		t.Fatalf("%s: no Go field %s", where, f.GoName)
	}
	if !strings.HasPrefix(f.Doc, f.GoName+" ") || !strings.HasSuffix(f.Doc, ".") || strings.ContainsAny(f.Doc, "{}") {
		t.Errorf("%s: %s: doc %q", where, f.Name, f.Doc)
	}
	for _, inner := range f.Fields {
		typ := field.Type
		if typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		checkDescription(t, where+" "+f.Name, inner, typ)
	}
}

// FuzzDecode decodes anything into a request to any endpoint: it must not
// panic, and what it accepts must come through a second round unchanged.
func FuzzDecode(f *testing.F) {
	ids := []string{}
	for _, s := range subjects(f) {
		ids = append(ids, s.ID)
		for _, request := range []any{s.minimal(), s.full()} {
			body, err := json.Marshal(request)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint(len(ids)-1), body)
		}
	}
	f.Fuzz(func(t *testing.T, n uint, body []byte) {
		id := ids[n%uint(len(ids))]
		request, err := decodeAny(id, body)
		if err != nil {
			problemsOf(t, err)
			return
		}
		if p := problems(t, request); len(p) > 0 {
			t.Fatalf("%s: decoded but not valid: %v", id, p)
		}
		again := encoded(t, request)
		second, err := decodeAny(id, again)
		if err != nil {
			t.Fatalf("%s: %s became %s, which is refused: %v", id, body, again, err)
		}
		if third := encoded(t, second); string(third) != string(again) {
			t.Errorf("%s: %s became %s", id, again, third)
		}
	})
}

// TestValidateAllocs holds the check of a valid request to no allocation.
func TestValidateAllocs(t *testing.T) {
	for _, s := range subjects(t) {
		request, ok := s.full().(interface{ Validate() error })
		if !ok {
			t.Fatalf("%T has no Validate", s.full())
		}
		// The picture sizes of data URLs and the URLs themselves are parsed.
		if hasFile(s.Fields) {
			continue
		}
		if n := testing.AllocsPerRun(10, func() { _ = request.Validate() }); n != 0 {
			t.Errorf("%s: Validate makes %v allocations", s.ID, n)
		}
	}
}

func hasFile(fields []catalog.Field) bool {
	for _, f := range fields {
		if f.IsFile() {
			return true
		}
		if m := catalog.ModelOf(f.Model); m != nil && hasFile(m.Fields) {
			return true
		}
	}
	return false
}

func BenchmarkValidate(b *testing.B) {
	request := flux.Dev2{
		Prompt: "a ceramic coffee mug on a marble countertop", ImageSize: fal.Size(1920, 1080), Seed: fal.Seed(42),
		NumInferenceSteps: 28, GuidanceScale: new(3.5), NumImages: 2, OutputFormat: fal.PNG,
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := request.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"prompt":"a mug","image_size":{"width":1920,"height":1080},"seed":42,"num_images":2}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := flux.Decode("fal-ai/flux-2", body); err != nil {
			b.Fatal(err)
		}
	}
}

// Whole numbers in any form are the same request.
func TestDecodeWholeNumbers(t *testing.T) {
	t.Parallel()
	got, err := flux.Decode("fal-ai/flux-1/schnell", []byte(`{"prompt":"a","num_inference_steps":4.0,"num_images":2E+0,"seed":18446744073709551615.00,"image_size":{"width":1.024e3,"height":7680e-1}}`))
	want := flux.Schnell{Prompt: "a", NumInferenceSteps: 4, NumImages: 2, Seed: fal.Seed(18446744073709551615), ImageSize: fal.Size(1024, 768)}
	if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := flux.Decode("fal-ai/flux/schnell", []byte(`{"prompt":"a","num_images":-0.0}`)); err == nil || strings.Contains(err.Error(), "sent") {
		t.Errorf("a refusal that speaks of sending: %v", err)
	}
}
