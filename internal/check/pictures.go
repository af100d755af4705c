package check

import (
	"cmp"
	"math"
	"strconv"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
)

// Megapixel is the number of pixels that fal counts as one megapixel.
const Megapixel = schema.Megapixel

// PictureRule says which pictures an endpoint takes. Zero fields do not limit.
type PictureRule struct {
	MinSide, MaxSide int // of width and height
	MaxArea          int // of each picture, in pixels
	MaxTotal         int // of all pictures together, in pixels
}

// Pictures refuses pictures of the wrong size, as far as their size can be
// known here: pictures at http and https URLs are passed over, and so is what
// cannot be read, which the upload reports.
func (l *List) Pictures(field string, rule PictureRule, files ...fal.File) {
	total := 0
	for i, file := range files {
		width, height, err := file.Dimensions()
		if err != nil {
			continue
		}
		at := field
		if len(files) > 1 {
			at = At(field, i)
		}
		size := func() string { return strconv.Itoa(width) + "x" + strconv.Itoa(height) }
		if least, most := rule.MinSide, cmp.Or(rule.MaxSide, math.MaxInt); min(width, height) < least || max(width, height) > most {
			l.Add(at, size(), "width and height must each be "+between(least, most)+" pixels")
		}
		area := width * height
		if rule.MaxArea > 0 && area > rule.MaxArea {
			l.Add(at, size(), "must have at most "+strconv.Itoa(rule.MaxArea/Megapixel)+" megapixels")
		}
		total += area
	}
	if rule.MaxTotal > 0 && total > rule.MaxTotal {
		l.Add(field, strconv.FormatFloat(float64(total)/Megapixel, 'f', 1, 64)+" megapixels",
			"must have at most "+strconv.Itoa(rule.MaxTotal/Megapixel)+" megapixels together")
	}
}

// Given returns the files that are given at all.
func Given(files ...fal.File) []fal.File {
	given := make([]fal.File, 0, len(files))
	for _, f := range files {
		if !f.IsZero() {
			given = append(given, f)
		}
	}
	return given
}
