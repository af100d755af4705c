package dataset

import "strings"

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
}

// maxLayers is the largest number of layers that fal-ai/qwen-image-layered-trainer
// takes for one picture.
const maxLayers = 8

// trainers are the trainers by their endpoint ids, of the namespace fal-ai.
var trainers = map[string]trainer{
	"flux-2-trainer":               {form: images, captions: true},
	"flux-2-trainer-v2":            {form: images, captions: true},
	"flux-2-klein-4b-base-trainer": {form: images, captions: true},
	"flux-2-klein-9b-base-trainer": {form: images, captions: true},
	"qwen-image-trainer":           {form: images, captions: true},
	"qwen-image-trainer-v2":        {form: images, captions: true},
	"qwen-image-2512-trainer":      {form: images, captions: true},
	"qwen-image-2512-trainer-v2":   {form: images, captions: true},

	// Masks are documented for the first; the second has the same fields.
	"flux-lora-fast-training":    {form: images, masks: true},
	"flux-krea-trainer":          {form: images, masks: true},
	"flux-lora-portrait-trainer": {form: images},
	"turbo-flux-trainer":         {form: images},

	"flux-2-trainer/edit":               {form: pairs, captions: true, references: 4},
	"flux-2-trainer-v2/edit":            {form: pairs, captions: true, references: 4},
	"flux-2-klein-4b-base-trainer/edit": {form: pairs, captions: true, references: 4},
	"flux-2-klein-9b-base-trainer/edit": {form: pairs, captions: true, references: 4},
	"flux-kontext-trainer":              {form: pairs, captions: true, references: 1},
	"qwen-image-edit-trainer":           {form: pairs, captions: true, references: 1},
	"qwen-image-edit-plus-trainer":      {form: pairs, captions: true},
	"qwen-image-edit-2509-trainer":      {form: pairs, captions: true},
	"qwen-image-edit-2511-trainer":      {form: pairs, captions: true},

	"qwen-image-layered-trainer": {form: layers, captions: true},
}

// trainerOf returns what is known of an endpoint. Of trainers that are not
// known nothing is demanded but the form of the set.
func trainerOf(id string, f form) trainer {
	if t, ok := trainers[strings.TrimPrefix(id, "fal-ai/")]; ok {
		return t
	}
	return trainer{form: f, masks: true}
}
