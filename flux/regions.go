package flux

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"regexp"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/internal/check"
)

// Regions lay out a picture of FLUX 3: each is an element and where it goes. They
// are a part of the prompt, which [Regions.Prompt] writes.
//
// Boxes are drawn for a shape, so ask for the AspectRatio that they were drawn
// for: with auto it is the model's choice. No largest number of regions is
// published; one client of the model stops at six.
type Regions []Region

// Region is an element of a picture, described in words or taken from a picture
// that is sent along.
type Region struct {
	// ID names the element in the prompt, where it stands in angle brackets: a
	// word in small letters and a number, such as "cat_1".
	ID string
	// Box is where it goes.
	Box Box
	// Desc describes it. Required.
	Desc string
	// Reference is the number of the picture of ImageURLs that it is taken from,
	// 1 for the first as in the prompt; 0 for an element that is described alone.
	// The model itself counts from 0 here, which Prompt sees to.
	Reference int
	// From is where it is in that picture: the same as Box changes it in place,
	// another moves it.
	From Box
}

// Box is a place in a picture, in thousandths of its height and width: 0 is the
// top or the left edge, 1000 the bottom or the right one.
type Box struct{ Top, Left, Bottom, Right int }

// BoxOf returns the box of a rectangle in a picture of a size in pixels. What is
// outside of the picture is cut off.
func BoxOf(r image.Rectangle, size image.Point) Box {
	if size.X <= 0 || size.Y <= 0 {
		return Box{}
	}
	r = r.Intersect(image.Rectangle{Max: size})
	share := func(n, of int) int { return int((int64(n)*grid + int64(of)/2) / int64(of)) }
	return Box{Top: share(r.Min.Y, size.Y), Left: share(r.Min.X, size.X), Bottom: share(r.Max.Y, size.Y), Right: share(r.Max.X, size.X)}
}

// grid is the largest coordinate of a box.
const grid = 1000

// MarshalJSON returns the box in the order of the model: top, left, bottom,
// right.
func (b Box) MarshalJSON() ([]byte, error) {
	return json.Marshal([4]int{b.Top, b.Left, b.Bottom, b.Right})
}

// problem says what is wrong with a box, or "".
func (b Box) problem() string {
	switch {
	case min(b.Top, b.Left) < 0 || max(b.Bottom, b.Right) > grid:
		return "must be between 0 and 1000"
	case b.Top >= b.Bottom || b.Left >= b.Right:
		return "must have an area: top less than bottom, left less than right"
	}
	return ""
}

var (
	elementID = regexp.MustCompile(`^[a-z]+(_[a-z]+)*_[0-9]+$`)
	mention   = regexp.MustCompile(`<([a-z][a-z_]*_[0-9]+)>`)
)

// Prompt returns the prompt for [Image3], or for [Image3Edit] with a number of
// pictures in ImageURLs: the text, in which the ids of the elements stand in angle
// brackets, and after it the rows of the regions.
//
//	prompt, err := flux.Regions{
//		{ID: "cat_1", Box: flux.Box{Top: 400, Left: 100, Bottom: 900, Right: 450}, Desc: "a tabby cat, asleep"},
//	}.Prompt("<cat_1> on a windowsill in the evening sun.", 0)
//
// The error is a [*fal.ValidationError] that lists every problem: ids that are
// malformed, stand twice or are not in the text, boxes without an area or
// outside of the picture, and references to pictures that there are not.
func (r Regions) Prompt(text string, pictures int) (string, error) {
	var l check.List
	l.Required("prompt", text)
	seen := make(map[string]bool)
	for i, region := range r {
		l.Item("regions", i, region.check(text, pictures, seen[region.ID]))
		seen[region.ID] = true
	}
	for _, m := range mention.FindAllStringSubmatch(text, -1) {
		if !seen[m[1]] {
			l.Add("prompt", m[0], "is no id of the regions")
			seen[m[1]] = true
		}
	}
	if err := l.Err(""); err != nil || len(r) == 0 {
		return text, err
	}
	rows := make([]any, len(r))
	for i, region := range r {
		rows[i] = region.row()
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(rows); err != nil {
		return text, fmt.Errorf("flux: regions: %w", err)
	}
	return strings.TrimRight(text, " \n") + "\n\n" + strings.TrimSpace(b.String()), nil
}

func (r *Region) check(text string, pictures int, again bool) (l check.List) {
	switch {
	case !elementID.MatchString(r.ID):
		l.Add("id", strconv.Quote(r.ID), `must be a word in small letters and a number, such as "cat_1"`)
	case again:
		l.Add("id", strconv.Quote(r.ID), "stands twice")
	case r.Reference == 0 && !strings.Contains(text, "<"+r.ID+">"):
		l.Add("id", strconv.Quote(r.ID), "is not in the prompt: put <"+r.ID+"> where it speaks of the element")
	}
	l.Required("desc", r.Desc)
	if p := r.Box.problem(); p != "" {
		l.Add("box", fmt.Sprint(r.Box), p)
	}
	switch {
	case r.Reference < 0 || r.Reference > pictures:
		l.Add("reference", strconv.Itoa(r.Reference), fmt.Sprintf("must be 0, or the number of one of the %d pictures", pictures))
	case r.Reference == 0 && r.From != Box{}:
		l.Add("from", fmt.Sprint(r.From), "needs the reference that it is in")
	case r.Reference > 0:
		if p := r.From.problem(); p != "" {
			l.Add("from", fmt.Sprint(r.From), p)
		}
	}
	return l
}

// row returns a region as it stands in the prompt.
func (r *Region) row() any {
	if r.Reference == 0 {
		return struct {
			ID   string `json:"id"`
			BBox Box    `json:"bbox"`
			Desc string `json:"desc"`
		}{r.ID, r.Box, r.Desc}
	}
	return struct {
		ID     string `json:"id"`
		Kind   string `json:"kind"`
		From   string `json:"from"`
		Source Box    `json:"src_bbox"`
		Target Box    `json:"tgt_bbox"`
		Desc   string `json:"desc"`
	}{r.ID, "anchor", "ref_image_" + strconv.Itoa(r.Reference-1), r.From, r.Box, r.Desc}
}
