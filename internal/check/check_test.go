package check_test

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/check"
)

// picture is a PNG file held in memory.
func picture(t *testing.T, width, height int) fal.File {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return fal.Bytes(b.Bytes())
}

func TestProblems(t *testing.T) {
	t.Parallel()
	remote := fal.URL("https://example.com/1.png")
	small, wide := picture(t, 100, 200), picture(t, 6000, 400)
	var inner check.List
	inner.Required("path", "")

	tests := []struct {
		name string
		note func(l *check.List)
		want []fal.Problem
	}{
		{"nothing", func(l *check.List) { l.Required("prompt", "a") }, nil},
		{"blank", func(l *check.List) { l.Required("prompt", " \n") }, []fal.Problem{{Field: "prompt", Message: "is required"}}},
		{"item", func(l *check.List) { l.Item("loras", 2, inner) }, []fal.Problem{{Field: "loras[2].path", Message: "is required"}}},
		{"object", func(l *check.List) { l.Object("fill_image", inner) }, []fal.Problem{{Field: "fill_image.path", Message: "is required"}}},
		{"given", func(l *check.List) { check.RequiredNumber(l, "scale", new(0.0)) }, nil},
		{"not given", func(l *check.List) { check.RequiredNumber[float64](l, "scale", nil) }, []fal.Problem{{Field: "scale", Message: "is required"}}},
		{"above", func(l *check.List) { l.Above("nag_scale", 1, 1, 10) },
			[]fal.Problem{{Field: "nag_scale", Value: "1", Message: "must be more than 1 and at most 10"}}},
		{"above, no most", func(l *check.List) { l.Above("nag_tau", -1, 0, math.MaxFloat64) },
			[]fal.Problem{{Field: "nag_tau", Value: "-1", Message: "must be more than 0"}}},
		{"above, left out", func(l *check.List) { l.Above("nag_tau", 0, 0, 1) }, nil},
		{"not finite", func(l *check.List) { l.Finite("scale", new(math.Inf(1))) }, []fal.Problem{{Field: "scale", Value: "+Inf", Message: "must be a number"}}},
		{"layers", func(l *check.List) { l.Layers("scale", nil, map[string]float64{"b": math.NaN(), "a": 1}) },
			[]fal.Problem{{Field: "scale.b", Value: "NaN", Message: "must be a number"}}},
		{"seed", func(l *check.List) { l.Seed("seed", fal.Seed(1<<31), 1<<31-1) },
			[]fal.Problem{{Field: "seed", Value: "2147483648", Message: "must be 0 to 2147483647"}}},
		{"data URL", func(l *check.List) { l.DataURL("image_url", fal.URL("data:image/png;base64,AAAA")) }, nil},
		{"no data URL", func(l *check.List) { l.DataURL("image_url", remote) },
			[]fal.Problem{{Field: "image_url", Value: "https://example.com/1.png", Message: `must be a data URL, as fal.URL("data:image/jpeg;base64,..."): uploaded files are refused here`}}},
		{"remote pictures", func(l *check.List) {
			l.Pictures("image_urls", check.PictureRule{MinSide: 9000, MaxTotal: 1}, remote, remote)
		}, nil},
		{"one small picture", func(l *check.List) { l.Pictures("image_url", check.PictureRule{MinSide: 384, MaxSide: 5000}, small) },
			[]fal.Problem{{Field: "image_url", Value: "100x200", Message: "width and height must each be 384 to 5000 pixels"}}},
		{"one wide picture of two", func(l *check.List) {
			l.Pictures("image_urls", check.PictureRule{MaxSide: 5000, MaxArea: 2 * check.Megapixel}, remote, wide)
		}, []fal.Problem{
			{Field: "image_urls[1]", Value: "6000x400", Message: "width and height must each be 0 to 5000 pixels"},
			{Field: "image_urls[1]", Value: "6000x400", Message: "must have at most 2 megapixels"},
		}},
		{"pictures together", func(l *check.List) {
			l.Pictures("image_urls", check.PictureRule{MaxTotal: 4 * check.Megapixel}, wide, wide)
		},
			[]fal.Problem{{Field: "image_urls", Value: "4.6 megapixels", Message: "must have at most 4 megapixels together"}}},
		{"advice followed", func(l *check.List) {
			l.AdviseSize("image_size", fal.Size(1024, 1024), check.SizeAdvice{MinSide: 256, MaxSide: 2048, MaxArea: 1 << 20})
			l.AdviseCount("image_urls", 3, 1, 3, "why")
			l.AdviseLength("prompt", "üüü", 3, "why")
		}, nil},
		{"advice not followed", func(l *check.List) {
			l.AdviseSize("image_size", fal.Size(2050, 1024), check.SizeAdvice{MinSide: 256, MaxSide: 2048, MaxArea: 1 << 20})
			l.AdviseCount("image_urls", 4, 1, 3, "why")
			l.AdviseLength("prompt", "üüüü", 3, "why")
		}, []fal.Problem{
			{Field: "image_size", Value: "2050x1024", Message: "the model maker documents sides of 256 to 2048 pixels"},
			{Field: "image_size", Value: "2050x1024", Message: "larger than 1 megapixels: the picture will be scaled down"},
			{Field: "image_urls", Value: "4 items", Message: "why"},
			{Field: "prompt", Value: "4 characters", Message: "why"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l check.List
			tt.note(&l)
			if diff := cmp.Diff(tt.want, l.Problems()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if l.Valid() != (len(tt.want) == 0) {
				t.Errorf("Valid() = %t", l.Valid())
			}
		})
	}
}
