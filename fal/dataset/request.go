package dataset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/falimage/falimage-go/fal"
)

// request is what a request to a trainer says about captions.
type request struct {
	endpoint       string
	DefaultCaption string `json:"default_caption"`
	TriggerWord    string `json:"trigger_word"`
	TriggerPhrase  string `json:"trigger_phrase"`
}

// requestOf reads a request; nil is no particular one.
func requestOf(r fal.Request[fal.Training]) (req request, err error) {
	if r == nil {
		return req, nil
	}
	req.endpoint = string(r.Endpoint())
	// The files of the request are none of the set, and need not be there.
	mapped, err := fal.MapFiles(r, func(string, fal.File) (fal.File, error) { return fal.URL("https://example.com"), nil })
	if err != nil {
		return req, err
	}
	body, err := json.Marshal(mapped)
	if err == nil {
		err = json.Unmarshal(body, &req)
	}
	return req, err
}

// trigger is the word that is to call up what is learnt, with its field.
func (r *request) trigger() (field, word string) {
	switch {
	case r.TriggerWord != "":
		return "trigger_word", strings.TrimSpace(r.TriggerWord)
	case r.TriggerPhrase != "":
		return "trigger_phrase", strings.TrimSpace(r.TriggerPhrase)
	case r.endpoint == "fal-ai/turbo-flux-trainer":
		return "trigger_phrase", "ohwx" // its default
	}
	return "", ""
}

// caption stands in for captions that are missing.
func (r *request) caption() string {
	if r.DefaultCaption != "" {
		return r.DefaultCaption
	}
	_, word := r.trigger()
	return word
}

// triggers doubts captions by which the trigger word would not be learnt.
func (c *checker) triggers(s Set) {
	const place = "[trigger]"
	field, word := c.request.trigger()
	var without, placeless []string // captions without the word, and with a place that stays
	for _, g := range s.groups {
		hasPlace := strings.Contains(g.caption, place)
		filled := hasPlace && c.trainer.trigger == placed && word != ""
		if hasPlace && !filled {
			placeless = append(placeless, g.name)
		}
		if strings.TrimSpace(g.caption) != "" && !filled && !strings.Contains(strings.ToLower(g.caption), strings.ToLower(word)) {
			without = append(without, g.name)
		}
	}
	if len(placeless) > 0 {
		c.doubt(placeless[0]+".txt", "the caption of "+some(placeless)+" would be learnt with the very text "+place+": this trainer, or a request without trigger word, puts nothing there")
	}
	if len(without) > 0 {
		c.doubt(field, fmt.Sprintf("%q stands not in the caption of %s: this trainer %s, so it would not be learnt from there", word, some(without), cmp.Or(c.trainer.trigger, untold)))
	}
}

// some names the first of several.
func some(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}
