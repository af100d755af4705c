package fal_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/qwen"
)

func TestWrappersPassOn(t *testing.T) {
	t.Parallel()
	good := flux.Pro2{Prompt: "a mug", ImageSize: fal.SquareHD}
	bad := flux.Pro2{}
	for name, wrap := range map[string]func(fal.Request[fal.Images]) any{
		"At":   func(r fal.Request[fal.Images]) any { return fal.At(r, "fal-ai/other") },
		"With": func(r fal.Request[fal.Images]) any { return fal.With(r, map[string]any{"x": 1}) },
		"Raw":  func(r fal.Request[fal.Images]) any { return fal.Raw(r) },
		"all":  func(r fal.Request[fal.Images]) any { return fal.Raw(fal.With(fal.At(r, "fal-ai/other"), nil)) },
	} {
		validate := func(r any) error {
			v, ok := r.(interface{ Validate() error })
			if !ok {
				t.Fatalf("%s: no Validate", name)
			}
			return v.Validate()
		}
		if err := validate(wrap(good)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var invalid *fal.ValidationError
		if err := validate(wrap(bad)); !errors.As(err, &invalid) {
			t.Errorf("%s: Validate() = %v", name, err)
		}
		u, ok := wrap(good).(interface{ Usage() fal.Usage })
		if !ok || u.Usage().Size != fal.SquareHD || u.Usage().Outputs != 1 {
			t.Errorf("%s: no usage", name)
		}
	}
	at := fal.At(good, "fal-ai/other")
	if at.Endpoint() != "fal-ai/other" {
		t.Errorf("endpoint = %s", at.Endpoint())
	}
	if u, ok := at.(interface{ Usage() fal.Usage }); !ok || u.Usage().Endpoint != "fal-ai/other" {
		t.Error("the usage is that of another endpoint")
	}
}

// A field that may change what is charged hides the price, rather than the
// other way around.
func TestWithHidesUsage(t *testing.T) {
	t.Parallel()
	for field, known := range map[string]bool{
		"num_images": false, "image_size": false, "num_layers": false, "num_inference_steps": false, "loras": false,
		"image_urls": false, "aspect_ratio": false, "upscale_factor": false, "target_width": false,
		"controlnets": false, "controlnet_unions": false, "ip_adapters": false, "easycontrols": false, "fill_image": false,
		"paste_back": false, "auto_crop": false, "expand_top": false, "Num_Images": false, "image_count": false, "megapixels": false,
		"x": true, "safety_tolerance": true, "cns_strength": true, "acceleration": true, "lora_scale": true, "output_format": true,
	} {
		r := fal.With(flux.Schnell{Prompt: "x"}, map[string]any{field: 4})
		u, ok := r.(interface{ Usage() fal.Usage })
		if !ok || u.Usage().Endpoint != "fal-ai/flux/schnell" || (u.Usage().Outputs > 0) != known {
			t.Errorf("%s: %+v", field, r)
		}
	}
	// A file may count under any name.
	for name, v := range map[string]any{
		"a file": fal.URL("https://x.example/a.png"), "in a list": []fal.File{fal.URL("https://x.example/a.png")},
		"deep": map[string]any{"x": []any{fal.URL("https://x.example/a.png")}},
	} {
		r := fal.With(flux.Schnell{Prompt: "x"}, map[string]any{"style": v})
		if u, ok := r.(interface{ Usage() fal.Usage }); !ok || u.Usage().Outputs != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// No field of the catalogue that is a picture, a size or a number of pictures
// or steps passes With with a price, and none of the switches without one.
func TestWithKnowsTheCatalogue(t *testing.T) {
	t.Parallel()
	free := map[string]bool{"resume_from_checkpoint": true} // the only file that no price counts
	counts := map[string]bool{
		"num_images": true, "num_layers": true, "num_inference_steps": true, "steps": true, "upscale_factor": true, "aspect_ratio": true,
		"resolution_mode": true, "resolution": true, "expand_top": true, "expand_bottom": true, "expand_left": true, "expand_right": true,
		"auto_crop": true, "paste_back": true, "resize_to_original": true, "use_turbo": true,
	}
	for _, e := range catalog.All() {
		for _, f := range e.Fields {
			want := counts[f.Name]
			switch f.Type {
			case catalog.File, catalog.Files, catalog.Size, catalog.List, catalog.Object:
				want = !free[f.Name]
			}
			r := fal.With(flux.Schnell{Prompt: "x"}, map[string]any{f.Name: 1})
			if u, ok := r.(interface{ Usage() fal.Usage }); !ok || (u.Usage().Outputs == 0) != want {
				t.Errorf("%s of %s: hidden is %t", f.Name, e.ID, !want)
			}
		}
	}
}

func TestWithBody(t *testing.T) {
	t.Parallel()
	inner := fal.At(flux.Pro2{Prompt: `say "hi"`, Seed: fal.Seed(18446744073709551615)}, "fal-ai/other")
	for _, tt := range []struct {
		extra map[string]any
		want  string
	}{
		{nil, `{"prompt":"say \"hi\"","seed":18446744073709551615}`},
		{map[string]any{"b": []int{1}, "a": nil}, `{"prompt":"say \"hi\"","seed":18446744073709551615,"a":null,"b":[1]}`},
		{map[string]any{"seed": 1, "prompt": "x"}, `{"prompt":"x","seed":1}`},
	} {
		got, err := json.Marshal(fal.With(inner, tt.extra))
		if err != nil || string(got) != tt.want {
			t.Errorf("With(%v) = %s, %v, want %s", tt.extra, got, err, tt.want)
		}
	}
	if _, err := json.Marshal(fal.With(fal.Call[any]{ID: "a/b", Input: []int{1}}, map[string]any{"x": 1})); err == nil {
		t.Error("fields were added to a list")
	}
	if _, err := json.Marshal(fal.With(inner, map[string]any{"x": func() {}})); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("error = %v", err)
	}
}

// Requests are values: they compare, convert and share a slice.
func TestRequestsAreValues(t *testing.T) {
	t.Parallel()
	a := flux.Pro2{Prompt: "x", ImageSize: fal.Size(10, 10)}
	if a != (flux.Pro2{Prompt: "x", ImageSize: fal.Size(10, 10)}) {
		t.Error("equal requests differ")
	}
	requests := []fal.Request[fal.Images]{a, qwen.Image{Prompt: "y"}, fal.At(a, "x/y")}
	var ids []fal.Endpoint[fal.Images]
	for _, r := range requests {
		ids = append(ids, r.Endpoint())
	}
	if diff := cmp.Diff([]fal.Endpoint[fal.Images]{"fal-ai/flux-2-pro", "fal-ai/qwen-image", "x/y"}, ids); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
