package dataset

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// trainer is what is known of the archives that a trainer takes. Counts of
// pictures are not documented as limits by any of them; their pages advise at
// least 10 pictures, the FLUX.1 trainers 4.
type trainer struct {
	form form
	// references is the largest number of start pictures of a pair, the
	// picture to edit included; 0: no limit is documented.
	references int
	// captions says that a picture without a caption is an error unless the
	// request has a default.
	captions bool
	// masks says that pictures may have masks.
	masks bool
	// trigger is what becomes of the trigger word where a picture has a caption.
	trigger trigger
}

// trigger is what a trainer does with the trigger word of the request; "" where
// the request has no such field. Where a picture has no caption, all take the
// word for one.
type trigger string

const (
	// unused: captions stand for themselves.
	unused trigger = "does not add it to captions"
	// placed: it takes the place of "[trigger]" in captions.
	placed trigger = "puts it only where captions have [trigger]"
	// untold: no page says.
	untold trigger = "is not known to add it to captions"
)

// maxLayers is the largest number of layers that fal-ai/qwen-image-layered-trainer
// takes for one picture.
const maxLayers = 8

// trainers are the trainers by their endpoint ids.
var trainers = map[string]trainer{
	"fal-ai/flux-2-trainer":               {form: images, captions: true},
	"fal-ai/flux-2-trainer-v2":            {form: images, captions: true},
	"fal-ai/flux-2-klein-4b-base-trainer": {form: images, captions: true},
	"fal-ai/flux-2-klein-9b-base-trainer": {form: images, captions: true},
	"fal-ai/qwen-image-trainer":           {form: images, captions: true, trigger: untold},
	"fal-ai/qwen-image-trainer-v2":        {form: images, captions: true},
	"fal-ai/qwen-image-2512-trainer":      {form: images, captions: true},
	"fal-ai/qwen-image-2512-trainer-v2":   {form: images, captions: true},

	// Masks are documented for the first; the second has the same fields.
	"fal-ai/flux-lora-fast-training":    {form: images, masks: true, trigger: unused},
	"fal-ai/flux-krea-trainer":          {form: images, masks: true, trigger: unused},
	"fal-ai/flux-lora-portrait-trainer": {form: images, trigger: placed},
	"fal-ai/turbo-flux-trainer":         {form: images, trigger: placed},

	"fal-ai/flux-2-trainer/edit":               {form: pairs, captions: true, references: 4},
	"fal-ai/flux-2-trainer-v2/edit":            {form: pairs, captions: true, references: 4},
	"fal-ai/flux-2-klein-4b-base-trainer/edit": {form: pairs, captions: true, references: 4},
	"fal-ai/flux-2-klein-9b-base-trainer/edit": {form: pairs, captions: true, references: 4},
	"fal-ai/flux-kontext-trainer":              {form: pairs, captions: true, references: 1},
	"fal-ai/qwen-image-edit-trainer":           {form: pairs, captions: true, references: 1},
	"fal-ai/qwen-image-edit-plus-trainer":      {form: pairs, captions: true},
	"fal-ai/qwen-image-edit-2509-trainer":      {form: pairs, captions: true},
	"fal-ai/qwen-image-edit-2511-trainer":      {form: pairs, captions: true},

	"fal-ai/qwen-image-layered-trainer": {form: layers, captions: true},

	"blackforestlabs/flux-3/klein/base/trainer":      {form: images, captions: true, trigger: unused},
	"blackforestlabs/flux-3/klein/base/trainer/edit": {form: pairs, captions: true, references: 10, trigger: unused},
}

// trainerOf returns what is known of an endpoint, and whether it is known or
// left open. Of others nothing is demanded but the form of the set.
func trainerOf(id string, f form) (trainer, bool) {
	if t, ok := trainers[id]; ok {
		return t, true
	}
	return trainer{form: f, masks: true}, id == ""
}

// nearest returns the three trainers whose ids are most like one that is not
// known.
func nearest(id string) []string {
	near := make(map[string]int)
	for known := range trainers {
		_, short, _ := strings.Cut(known, "/") // the namespace may be missing
		near[known] = min(distance(id, known), distance(id, short))
	}
	return slices.SortedFunc(maps.Keys(near), func(a, b string) int { return cmp.Or(near[a]-near[b], cmp.Compare(a, b)) })[:3]
}

// distance returns how many letters have to be added, taken away or changed to
// make b of the beginning of a.
func distance(a, b string) int {
	a = a[:min(len(a), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // the value up and to the left
		row[0] = i + 1
		for j := range len(b) {
			changed := before
			if a[i] != b[j] {
				changed++
			}
			before = row[j+1]
			row[j+1] = min(changed, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
