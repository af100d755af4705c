package check

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/falimage/falimage-go/fal"
)

// The methods below note what some source doubts and none forbids. The
// generated Usage methods are written with them.

// SizeAdvice is what the model maker advises about sizes. Zero fields say
// nothing.
type SizeAdvice struct {
	MinSide, MaxSide int // of width and height
	MaxArea          int // larger pictures are scaled down
}

// AdviseSize doubts sizes against the advice.
func (l *List) AdviseSize(field string, size fal.ImageSize, advice SizeAdvice) {
	width, height, ok := size.Dimensions()
	if !ok {
		return
	}
	least, most := advice.MinSide, cmp.Or(advice.MaxSide, math.MaxInt)
	if min(width, height) < least || max(width, height) > most {
		l.Add(field, string(size), "the model maker documents sides of "+between(least, most)+" pixels")
	}
	if advice.MaxArea > 0 && width*height > advice.MaxArea {
		l.Add(field, string(size), "larger than "+strconv.Itoa(advice.MaxArea/Megapixel)+" megapixels: the picture will be scaled down")
	}
}

// AdviseCount doubts fewer than least or more than most items (0: any number),
// for the reason why.
func (l *List) AdviseCount(field string, n, least, most int, why string) {
	if n > 0 && (n < least || most > 0 && n > most) {
		l.Add(field, strconv.Itoa(n)+" items", why)
	}
}

// AdviseLength doubts text of more than most characters, for the reason why.
func (l *List) AdviseLength(field, value string, most int, why string) {
	if len(value) > most && utf8.RuneCountInString(value) > most {
		l.Add(field, strconv.Itoa(utf8.RuneCountInString(value))+" characters", why)
	}
}

// AdviseValue doubts one of the values of an enum, for the reason why.
func AdviseValue[T ~string](l *List, field string, value, doubted T, why string) {
	if value == doubted {
		l.Add(field, strconv.Quote(string(value)), why)
	}
}

// AdviseNegative doubts a negative prompt beside a guidance, nil for the
// default, that is not above the number from which on it counts.
func (l *List) AdviseNegative(prompt string, guidance *float64, above float64) {
	if prompt != "" && (guidance == nil || *guidance <= above) {
		l.Add("negative_prompt", strconv.Quote(prompt), "has no effect unless guidance_scale is above "+number(above))
	}
}

// AdviseMultiple doubts a number that is no multiple of step, for the reason
// why.
func (l *List) AdviseMultiple(field string, value, step int, why string) {
	if value%step != 0 {
		l.Add(field, strconv.Itoa(value), why)
	}
}

// AdviseRegions doubts regions in a prompt beside an aspect ratio that the model
// chooses.
func (l *List) AdviseRegions(prompt, aspect string) {
	if (aspect == "" || aspect == "auto") && strings.Contains(prompt, `"bbox":`) {
		l.Add("aspect_ratio", strconv.Quote(aspect), "the prompt has regions, which are drawn for one ratio: ask for it")
	}
}

// AdviseAlpha doubts a prompt that asks for transparency in a format that has
// none.
func (l *List) AdviseAlpha(prompt string, format fal.OutputFormat) {
	if format == fal.JPEG && strings.Contains(strings.ToLower(prompt), "transparent") {
		l.Add("output_format", strconv.Quote(string(format)), "has no transparency, which the prompt asks for: take png or webp")
	}
}
