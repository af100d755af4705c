package router

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
)

// multiple is what widths and heights are a multiple of, as FLUX.2 makes them.
const multiple = 16

// errNoAspect is the error of the ratio that is not given, which is no fault.
var errNoAspect = errors.New("no aspect ratio")

// parseAspect reads an aspect ratio such as "16:9".
func parseAspect(aspect string) (width, height int, err error) {
	if aspect == "" {
		return 0, 0, errNoAspect
	}
	w, h, ok := strings.Cut(aspect, ":")
	width, errW := strconv.Atoi(w)
	height, errH := strconv.Atoi(h)
	if !ok || errW != nil || errH != nil || width < 1 || height < 1 || max(width, height) > 1<<24 || width > 100*height || height > 100*width {
		return 0, 0, fmt.Errorf("%q: must be two numbers such as 16:9, neither more than 100 times the other", aspect)
	}
	return width, height, nil
}

// presets are the sizes with names, by their aspect ratio.
var presets = []struct {
	width, height int
	size          fal.ImageSize
}{
	{1, 1, fal.SquareHD}, {4, 3, fal.Landscape4x3}, {3, 4, fal.Portrait4x3}, {16, 9, fal.Landscape16x9}, {9, 16, fal.Portrait16x9},
}

// sizeFor returns the size that a task asks for, or "" where it leaves that to
// the model. Aspect ratios become a preset where there is one with enough
// pixels, and else a size in multiples of 16: of 1 megapixel at most, which is
// what is paid, or of MinPixels at least.
func sizeFor(t *Task) fal.ImageSize {
	if t.Size != "" {
		return t.Size
	}
	if t.Aspect == "" {
		return leastSize(t)
	}
	w, h, err := parseAspect(t.Aspect)
	if err != nil {
		return "" // was refused before
	}
	for _, p := range presets {
		width, height, _ := p.size.Dimensions()
		if p.width*h == p.height*w && width*height >= t.MinPixels {
			return p.size
		}
	}
	if t.MinPixels > 0 {
		return areaSize(w, h, t.MinPixels, true)
	}
	return areaSize(w, h, schema.Megapixel, false)
}

// leastSize returns the size for a task that asks for an area alone. The
// picture that is edited keeps its shape; it needs no size if it has the area.
func leastSize(t *Task) fal.ImageSize {
	switch {
	case t.MinPixels == 0:
		return ""
	case len(t.Pictures) == 0:
		return areaSize(1, 1, t.MinPixels, true)
	}
	first := t.Pictures[0]
	if have := pixels(first.Width, first.Height); have == 0 || have >= int64(t.MinPixels) {
		return ""
	}
	return areaSize(first.Width, first.Height, t.MinPixels, true)
}

// areaSize returns a size of an aspect ratio in multiples of 16: the largest of
// at most the area, or the smallest of at least the area.
func areaSize(w, h, area int, atLeast bool) fal.ImageSize {
	round := math.Floor
	if atLeast {
		round = math.Ceil
	}
	side := func(x float64) int { return max(1, int(round(x/multiple))) * multiple }
	width := math.Sqrt(float64(area) * float64(w) / float64(h))
	return fal.Size(side(width), side(width*float64(h)/float64(w)))
}

// fit returns the size within the bounds that is nearest to the wanted one and
// has its aspect ratio, in multiples of 16. A size that cannot be made to fit
// stays as it is; the model's own checks refuse it.
func (s sizes) fit(size fal.ImageSize) fal.ImageSize {
	width, height, ok := size.Dimensions()
	if !ok || s == (sizes{}) || s.has(width, height) || width < 1 || height < 1 || width > schema.MaxSide || height > schema.MaxSide {
		return size
	}
	w, h := float64(width), float64(height)
	scale := 1.0
	if s.minSide > 0 {
		scale = max(scale, float64(s.minSide)/min(w, h))
	}
	if s.minArea > 0 {
		scale = max(scale, math.Sqrt(float64(s.minArea)/(w*h)))
	}
	round := math.Ceil
	if scale == 1 {
		round = math.Floor
		if s.maxSide > 0 {
			scale = min(scale, float64(s.maxSide)/max(w, h))
		}
		if s.maxArea > 0 {
			scale = min(scale, math.Sqrt(float64(s.maxArea)/(w*h)))
		}
	}
	side := func(x float64) int { return max(1, int(round(x*scale/multiple))) * multiple }
	if !s.has(side(w), side(h)) {
		return size
	}
	return fal.Size(side(w), side(h))
}

// fit returns the size that the model is asked for: where it reduces larger
// pictures, one that ends at that bound, so that nothing is paid that is not made.
func (m *model) fit(size fal.ImageSize) fal.ImageSize {
	bounds := m.sizes
	if m.reduced > 0 && bounds.maxArea == 0 {
		bounds.maxArea = m.reduced
	}
	return bounds.fit(size)
}

// has reports whether a size is within the bounds.
func (s sizes) has(width, height int) bool {
	return min(width, height) >= s.minSide && pixels(width, height) >= int64(s.minArea) &&
		(s.maxSide == 0 || max(width, height) <= s.maxSide) && (s.maxArea == 0 || pixels(width, height) <= int64(s.maxArea))
}

// area returns the area that a task asks for, or 0.
func area(t *Task) int64 {
	if width, height, ok := sizeFor(t).Dimensions(); ok {
		return pixels(width, height)
	}
	return int64(t.MinPixels)
}

// pixels is the area of a picture, which an int of 32 bits may not hold.
func pixels(width, height int) int64 { return int64(width) * int64(height) }

// nearestAspect returns the ratio of the list that is nearest to the size that
// a task asks for, or "" where it asks for none.
func nearestAspect(list []string, t *Task) string {
	w, h, err := parseAspect(t.Aspect)
	if width, height, ok := t.Size.Dimensions(); ok {
		w, h = width, height
	} else if err != nil {
		return ""
	}
	best, distance := "", math.Inf(1)
	for _, r := range list {
		rw, rh, err := parseAspect(r)
		if err != nil {
			continue
		}
		if d := math.Abs(math.Log(float64(w) * float64(rh) / (float64(h) * float64(rw)))); d < distance {
			best, distance = r, d
		}
	}
	return best
}

// resolutionFor returns the size class of FLUX 3 for the area that a task asks
// for: the nearest to a size, or one that has the least area for sure, since
// the pixels of a class depend on the ratio.
func resolutionFor(t *Task) flux.Resolution {
	for _, c := range resolutions {
		if area(t) <= c.area*11/10 && int64(t.MinPixels) <= c.area*9/10 {
			return c.class
		}
	}
	return flux.Resolution4K
}

// resolutions are the size classes with about their pixels. The first is what
// is made where nothing is asked for.
var resolutions = []struct {
	class flux.Resolution
	area  int64
}{{"", schema.Megapixel}, {flux.Resolution2K, 4 * schema.Megapixel}, {flux.Resolution4K, 16 * schema.Megapixel}}
