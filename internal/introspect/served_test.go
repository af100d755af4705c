package introspect_test

import (
	"log/slog"
	"reflect"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// TestServed sends a full request to every endpoint of the local fal, which
// checks it on its own, and reads the result.
func TestServed(t *testing.T) {
	t.Parallel()
	client := faltest.NewServer(t).Client()
	client.Logger = slog.New(slog.DiscardHandler)
	forAll(t, func(t *testing.T, s subject) {
		switch r := s.small().(type) {
		case fal.Request[fal.Images]:
			if out := serve(t, client, r); len(out.Images) == 0 || out.Images[0].URL == "" {
				t.Errorf("result %+v", out)
			}
		case fal.Request[fal.Training]:
			if out := serve(t, client, r); out.LoRA.URL == "" || out.Config.URL == "" {
				t.Errorf("result %+v", out)
			}
		case fal.Request[flux.Upscaled]:
			if out := serve(t, client, r); out.Image.URL == "" {
				t.Errorf("result %+v", out)
			}
		case fal.Request[flux.Frames]:
			if out := serve(t, client, r); len(out.Images) == 0 || len(out.Images[0].Content) == 0 {
				t.Errorf("result %+v", out)
			}
		default:
			t.Errorf("a request with a result of an unknown type: %T", r)
		}
	})
}

// small is a full request for little work.
func (s subject) small() any {
	v := reflect.New(reflect.TypeOf(s.full())).Elem()
	v.Set(reflect.ValueOf(s.full()))
	for _, name := range []string{"NumImages", "NumLayers"} {
		if f := v.FieldByName(name); f.IsValid() {
			f.SetInt(1)
		}
	}
	if f := v.FieldByName("UpscaleFactor"); f.IsValid() {
		f.SetFloat(1)
	}
	if f := v.FieldByName("ImageSize"); f.IsValid() {
		f.Set(reflect.ValueOf(fal.Square))
	}
	return v.Interface()
}

func serve[Out any](t *testing.T, client *fal.Client, r fal.Request[Out]) *Out {
	t.Helper()
	out, err := fal.Run(t.Context(), client, r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
