package check

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
)

// MaxSide is the longest side that any fal endpoint takes.
const MaxSide = schema.MaxSide

// SizeRule says which image sizes an endpoint takes. Zero fields do not limit.
type SizeRule struct {
	Auto             bool // "auto" is accepted
	MinSide, MaxSide int  // of width and height; by default 1 to MaxSide
	MinArea, MaxArea int  // of width times height
}

// Size refuses unknown presets, and custom sizes outside of the rule.
func (l *List) Size(field string, size fal.ImageSize, rule SizeRule) {
	if size == "" || size == fal.AutoSize && rule.Auto {
		return
	}
	width, height, ok := size.Dimensions()
	if !ok {
		message := "must be square_hd, square, portrait_4_3, portrait_16_9, landscape_4_3, landscape_16_9 or fal.Size(width, height)"
		if rule.Auto {
			message = "must be auto, " + strings.TrimPrefix(message, "must be ")
		}
		l.Add(field, strconv.Quote(string(size)), message)
		return
	}
	least, most := cmp.Or(rule.MinSide, 1), cmp.Or(rule.MaxSide, MaxSide)
	if width < least || width > most || height < least || height > most {
		l.Add(field, string(size), "width and height must each be "+between(least, most)+" pixels")
		return
	}
	area := width * height
	if area < rule.MinArea || rule.MaxArea > 0 && area > rule.MaxArea {
		l.Add(field, string(size), "width times height must be "+between(rule.MinArea, rule.MaxArea)+" pixels")
	}
}
