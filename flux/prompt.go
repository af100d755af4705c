package flux

import (
	"errors"
	"fmt"
	"math"
)

// StructuredPrompt is a FLUX.2 prompt in parts, which those models read as
// JSON. The JSON travels as text in the Prompt field of a request:
//
//	prompt := flux.StructuredPrompt{
//		Scene: "a sunlit kitchen",
//		Subjects: []flux.PromptSubject{{
//			Description: "a ceramic coffee mug",
//			Position:    "foreground",
//			Colors:      []flux.Color{"#2ECC71"},
//		}},
//		Camera: flux.PromptCamera{Lens: "85mm", FNumber: "f/2.8"},
//	}
//	req := flux.Pro2{Prompt: prompt.Prompt()}
//
// Every field may be left out, and empty fields are left out of the JSON. FLUX.2
// weighs what comes first most, so the order matters: it is that of the fields
// here, which is the order of Black Forest Labs' own examples, unless Order says
// another. It is documented for FLUX.2 [pro], [max], [flex] and [dev]; for
// models that want plain sentences (FLUX.2 [klein], Kontext, FLUX.1, Qwen
// Image) use [StructuredPrompt.Prose].
//
// Prompts that others wrote are read with [ReadPrompt] or encoding/json. Nothing
// is lost but empty values: keys that have no field here are kept in Extra. So
// are known keys whose value has another form than the field, such as a scene
// that is an object; Extra.Get finds them. Where the keys stand in another order
// than they would be written in, Order keeps it.
type StructuredPrompt struct {
	// Scene is the setting as a whole.
	Scene string
	// Subjects are the people and things in the picture, the most important
	// first.
	Subjects []PromptSubject
	// Text is what is to be read in the picture, word for word.
	Text []string
	// Style is the manner: a medium, an era, a kind of photography.
	Style string
	// ColorPalette is the colours of the whole picture, as codes or names.
	ColorPalette []Color
	// Colors is the same under another key, which some guides use.
	Colors []Color
	// Lighting says where light comes from and how hard it is.
	Lighting string
	// Mood is the feeling of the picture.
	Mood string
	// Background is what lies behind the subjects.
	Background string
	// Composition is how the picture is arranged: "rule of thirds",
	// "centered", "dynamic diagonal".
	Composition string
	// Camera is how the picture is taken.
	Camera PromptCamera
	// Effects are such as "film grain" or "lens flare".
	Effects []string
	// Extra is what has no field here, in order. The models accept any key.
	Extra PromptFields
	// Order is the keys of the JSON in the order to write them, such as
	// "subjects", "scene". Keys that it does not name follow in their usual
	// order. Default: the usual order.
	Order []string
}

// PromptSubject is one person or thing of a [StructuredPrompt].
type PromptSubject struct {
	// Type is what it is in a word or two, such as "coffee mug".
	Type string
	// Description is what it looks like.
	Description string
	// Expression is that of its face, such as "a faint smile".
	Expression string
	// Pose is how it stands or lies.
	Pose string
	// Position is where it is: "foreground", "midground", "background".
	Position string
	// Action is what it does.
	Action string
	// Text is what is to be read on it, word for word.
	Text string
	// Colors are its exact colours.
	Colors []Color
	// ColorPalette is its colours, as codes or names.
	ColorPalette []Color
	// ColorMatch is "exact" to ask for the very colours.
	ColorMatch string
	// DetailPreservation is "high" to keep the details of a reference picture.
	DetailPreservation string
	// Extra is what has no field here, in order.
	Extra PromptFields
	// Order is as in [StructuredPrompt].
	Order []string
}

// PromptCamera is how the picture of a [StructuredPrompt] is taken.
type PromptCamera struct {
	// Angle is such as "eye level", "low angle", "high angle".
	Angle string
	// Distance is such as "close-up", "medium shot", "wide shot".
	Distance string
	// Focus is what is sharp, such as "sharp focus on the handle".
	Focus string
	// Lens is such as "85mm".
	Lens string
	// LensMM is the focal length in millimetres; its key is "lens-mm".
	LensMM float64
	// FNumber is the aperture, such as "f/5.6"; its key is "f-number".
	FNumber string
	// ISO is the film speed, such as 200; its key is "ISO".
	ISO int
	// DepthOfField is how much of the depth is sharp, such as "shallow".
	DepthOfField string
	// Model is what the picture is taken with, such as "Sony A7IV".
	Model string
	// Extra is what has no field here, in order.
	Extra PromptFields
	// Order is as in [StructuredPrompt].
	Order []string
}

// PromptFields is an object with its keys in order. Values are what
// encoding/json writes, and objects inside may be PromptFields again. After
// reading JSON, values are string, bool, nil, json.Number, []any and
// PromptFields.
type PromptFields []PromptField

// PromptField is one key of [PromptFields] with its value.
type PromptField struct {
	Key   string
	Value any
}

// Get returns the value of a key, and false where there is none.
func (f PromptFields) Get(key string) (any, bool) {
	for _, field := range f {
		if field.Key == key {
			return field.Value, true
		}
	}
	return nil, false
}

// slot joins a key with the field that holds its value.
type slot struct {
	key string
	// to points to a string, int, float64, []string, []Color,
	// []PromptSubject or PromptCamera.
	to any
}

// The slots of each type, in the order in which they are written.

func (p *StructuredPrompt) slots() []slot {
	return []slot{
		{"scene", &p.Scene},
		{"subjects", &p.Subjects},
		{"text", &p.Text},
		{"style", &p.Style},
		{"color_palette", &p.ColorPalette},
		{"colors", &p.Colors},
		{"lighting", &p.Lighting},
		{"mood", &p.Mood},
		{"background", &p.Background},
		{"composition", &p.Composition},
		{"camera", &p.Camera},
		{"effects", &p.Effects},
	}
}

func (s *PromptSubject) slots() []slot {
	return []slot{
		{"type", &s.Type},
		{"description", &s.Description},
		{"expression", &s.Expression},
		{"pose", &s.Pose},
		{"position", &s.Position},
		{"action", &s.Action},
		{"text", &s.Text},
		{"colors", &s.Colors},
		{"color_palette", &s.ColorPalette},
		{"color_match", &s.ColorMatch},
		{"detail_preservation", &s.DetailPreservation},
	}
}

func (c *PromptCamera) slots() []slot {
	return []slot{
		{"angle", &c.Angle},
		{"distance", &c.Distance},
		{"focus", &c.Focus},
		{"lens", &c.Lens},
		{"lens-mm", &c.LensMM},
		{"f-number", &c.FNumber},
		{"ISO", &c.ISO},
		{"depth_of_field", &c.DepthOfField},
		{"model", &c.Model},
	}
}

// Validate returns an error that names every field that cannot mean what it
// says: a colour that is no code of six digits and no name, a focal length or
// film speed below zero, a key that stands twice, an extra value that JSON
// cannot hold. It costs nothing and may be left out: the models refuse none of
// these, they only paint something else.
func (p StructuredPrompt) Validate() error {
	return errors.Join(problems("", p.slots(), p.Extra)...)
}

// problems returns what is wrong with the fields below a path.
func problems(path string, slots []slot, extra PromptFields) []error {
	var all []error
	add := func(key string, err error) {
		all = append(all, fmt.Errorf("flux: prompt: %s%s: %w", path, key, err))
	}
	set := make(map[string]bool)
	for _, s := range slots {
		if !isEmpty(s.to) {
			set[s.key] = true
		}
		switch v := s.to.(type) {
		case *[]Color:
			for i, c := range *v {
				if err := c.check(); err != nil {
					add(fmt.Sprintf("%s[%d]", s.key, i), err)
				}
			}
		case *int:
			if *v < 0 {
				add(s.key, fmt.Errorf("%d: must not be negative", *v))
			}
		case *float64:
			if *v < 0 || math.IsNaN(*v) || math.IsInf(*v, 0) {
				add(s.key, fmt.Errorf("%v: must be a number of millimetres", *v))
			}
		case *[]PromptSubject:
			for i := range *v {
				subject := &(*v)[i]
				all = append(all, problems(fmt.Sprintf("%s%s[%d].", path, s.key, i), subject.slots(), subject.Extra)...)
			}
		case *PromptCamera:
			all = append(all, problems(path+s.key+".", v.slots(), v.Extra)...)
		}
	}
	for _, field := range extra {
		if set[field.Key] {
			add(field.Key, errors.New("is set twice"))
		}
		set[field.Key] = true
		if _, err := appendValue(nil, field.Value); err != nil {
			add(field.Key, err)
		}
	}
	return all
}
