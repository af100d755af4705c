package fal_test

import (
	"encoding/json"
	"testing"

	"github.com/falimage/falimage-go/fal"
)

func TestImageSizeJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size fal.ImageSize
		want string
	}{
		{fal.SquareHD, `"square_hd"`},
		{fal.AutoSize, `"auto"`},
		{fal.Size(1920, 1080), `{"width":1920,"height":1080}`},
		{fal.Size(0, 0), `{"width":0,"height":0}`},
		{fal.Size(-1, 5), `{"width":-1,"height":5}`},
		{`odd "name"`, `"odd \"name\""`},
	} {
		got, err := json.Marshal(tt.size)
		if err != nil || string(got) != tt.want {
			t.Errorf("Marshal(%q) = %s, %v, want %s", string(tt.size), got, err, tt.want)
		}
		var back fal.ImageSize
		if err := json.Unmarshal([]byte(tt.want), &back); err != nil || back != tt.size {
			t.Errorf("Unmarshal(%s) = %q, %v, want %q", tt.want, string(back), err, string(tt.size))
		}
	}
}

func TestImageSizeUnmarshalForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want fal.ImageSize
		ok   bool
	}{
		{`null`, "", true},
		{`{"width":640}`, fal.Size(640, 512), true},
		{`{}`, fal.Size(512, 512), true},
		{`12`, "", false},
		{`{"width":"640"}`, "", false},
	} {
		var got fal.ImageSize
		err := json.Unmarshal([]byte(tt.in), &got)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("Unmarshal(%s) = %q, %v, want %q", tt.in, string(got), err, string(tt.want))
		}
	}
}

func TestImageSizeDimensions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size   fal.ImageSize
		width  int
		height int
		ok     bool
	}{
		{fal.SquareHD, 1024, 1024, true},
		{fal.Square, 512, 512, true},
		{fal.Portrait4x3, 768, 1024, true},
		{fal.Portrait16x9, 576, 1024, true},
		{fal.Landscape4x3, 1024, 768, true},
		{fal.Landscape16x9, 1024, 576, true},
		{fal.Size(1920, 1080), 1920, 1080, true},
		{fal.Size(-3, 4), -3, 4, true},
		{fal.AutoSize, 0, 0, false},
		{"", 0, 0, false},
		{"10x", 0, 0, false},
		{"99999999999999999999x1", 0, 0, false},
	} {
		width, height, ok := tt.size.Dimensions()
		if width != tt.width || height != tt.height || ok != tt.ok {
			t.Errorf("%q.Dimensions() = %d, %d, %v, want %d, %d, %v", string(tt.size), width, height, ok, tt.width, tt.height, tt.ok)
		}
	}
}
