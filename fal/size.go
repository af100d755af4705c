package fal

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// ImageSize is the size of an output picture: one of the named presets,
// or a width and height made by [Size] and written "1920x1080". The zero value
// leaves the field out, so the endpoint's default applies. Sizes compare with
// ==. Which sizes an endpoint takes is checked by the request's Validate.
type ImageSize string

// The presets of fal's image_size fields.
const (
	SquareHD      ImageSize = "square_hd"      // 1024x1024
	Square        ImageSize = "square"         // 512x512 (768x768 on FLUX.2 [klein] realtime)
	Portrait4x3   ImageSize = "portrait_4_3"   // 768x1024
	Portrait16x9  ImageSize = "portrait_16_9"  // 576x1024
	Landscape4x3  ImageSize = "landscape_4_3"  // 1024x768
	Landscape16x9 ImageSize = "landscape_16_9" // 1024x576
	AutoSize      ImageSize = "auto"           // the model decides; FLUX.2 edit endpoints only
)

// Size returns the size of width by height pixels.
func Size(width, height int) ImageSize {
	var buf [24]byte
	b := strconv.AppendInt(buf[:0], int64(width), 10)
	b = append(b, 'x')
	b = strconv.AppendInt(b, int64(height), 10)
	return ImageSize(b)
}

// Dimensions returns the width and height in pixels. It returns false where
// the size is not a number of pixels: the zero value, [AutoSize], and presets
// this package does not know.
func (s ImageSize) Dimensions() (width, height int, ok bool) {
	switch s {
	case SquareHD:
		return 1024, 1024, true
	case Square:
		return 512, 512, true
	case Portrait4x3:
		return 768, 1024, true
	case Portrait16x9:
		return 576, 1024, true
	case Landscape4x3:
		return 1024, 768, true
	case Landscape16x9:
		return 1024, 576, true
	}
	return s.custom()
}

// custom reads the "1920x1080" form.
func (s ImageSize) custom() (width, height int, ok bool) {
	w, h, found := strings.Cut(string(s), "x")
	if !found {
		return 0, 0, false
	}
	width, okW := number(w)
	height, okH := number(h)
	if !okW || !okH {
		return 0, 0, false
	}
	return width, height, true
}

// number reads a whole number. The usual ones are short, and quotes read many.
func number(s string) (n int, ok bool) {
	if len(s) > 9 || strings.HasPrefix(s, "-") {
		n, err := strconv.Atoi(s)
		return n, err == nil
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, s != ""
}

// MarshalJSON writes a preset as its name and other sizes as an object with
// width and height.
func (s ImageSize) MarshalJSON() ([]byte, error) {
	if width, height, ok := s.custom(); ok {
		b := append(make([]byte, 0, 40), `{"width":`...)
		b = append(strconv.AppendInt(b, int64(width), 10), `,"height":`...)
		return append(strconv.AppendInt(b, int64(height), 10), '}'), nil
	}
	return json.Marshal(string(s))
}

// UnmarshalJSON reads both forms, and null as the zero value.
func (s *ImageSize) UnmarshalJSON(data []byte) error {
	var name *string
	if err := json.Unmarshal(data, &name); err == nil {
		*s = ""
		if name != nil {
			*s = ImageSize(*name)
		}
		return nil
	}
	var object struct {
		Width  *int `json:"width"`
		Height *int `json:"height"`
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return fmt.Errorf("fal: an image size is a preset name or an object with width and height: %w", err)
	}
	// A side that is left out has the service's default of 512 pixels.
	width, height := 512, 512
	if object.Width != nil {
		width = *object.Width
	}
	if object.Height != nil {
		height = *object.Height
	}
	*s = Size(width, height)
	return nil
}
