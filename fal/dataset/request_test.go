package dataset_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/dataset"
	"github.com/falimage/falimage-go/flux"
)

// untyped is a request to a trainer that nobody should take any more.
func untyped(id fal.Endpoint[fal.Training], field, value string) fal.Request[fal.Training] {
	return fal.Call[fal.Training]{ID: id, Input: map[string]string{field: value}}
}

// TestCaptionsOfRequests packs sets without captions for requests that have a
// default, whatever its field, and for others.
func TestCaptionsOfRequests(t *testing.T) {
	t.Parallel()
	picture := fal.Bytes(pngPicture)
	images := dataset.Images(dataset.Image{Name: "a", File: picture})
	pairs := dataset.Pairs(dataset.Pair{Name: "a", Start: []fal.File{picture}, End: picture})
	missing := []string{"a.txt: is missing: every picture needs a caption, or the request a default caption"}
	tests := []struct {
		name    string
		set     dataset.Set
		request fal.Request[fal.Training]
		want    []string
	}{
		{"nil", images, nil, nil},
		{"none", images, flux.Dev2Trainer{}, missing},
		{"blank", images, flux.Dev2Trainer{DefaultCaption: " "}, missing},
		{"default", images, flux.Dev2Trainer{DefaultCaption: "c"}, nil},
		{"default of a layered trainer", images, untyped("fal-ai/qwen-image-layered-trainer", "default_caption", "c"), []string{"the set: has single pictures; this trainer takes pictures with layers"}},
		{"no trigger", images, flux.Klein3BaseTrainer{}, missing},
		{"blank trigger", images, flux.Klein3BaseTrainer{TriggerPhrase: "\n"}, missing},
		{"trigger", images, flux.Klein3BaseTrainer{TriggerPhrase: "TOK"}, nil},
		{"trigger of pairs", pairs, flux.Klein3BaseEditTrainer{TriggerPhrase: "make it night"}, nil},
		{"no trigger of pairs", pairs, flux.Klein3BaseEditTrainer{}, missing},
		{"trigger of Qwen", images, untyped("fal-ai/qwen-image-trainer", "trigger_phrase", "TOK"), nil},
		{"without captions", images, flux.FastTrainer{}, nil},
		{"a file of the request that is not there", images, flux.PortraitTrainer{ResumeFromCheckpoint: fal.Path("/no/such/file")}, nil},
		{"at another id", images, fal.At(flux.Dev2Trainer{DefaultCaption: "c"}, "fal-ai/flux-2-trainer-v2"), nil},
		{"at an id that takes pairs", images, fal.At(flux.Dev2Trainer{DefaultCaption: "c"}, "fal-ai/flux-2-trainer/edit"), []string{"the set: has single pictures; this trainer takes pairs of pictures"}},
		{"with more", images, fal.With(flux.Dev2Trainer{}, map[string]any{"default_caption": "c"}), nil},
		{"no text", images, fal.With(flux.Dev2Trainer{}, map[string]any{"default_caption": 1}), []string{"the request: json: cannot unmarshal number into Go struct field request.default_caption of type string"}},
		{"no JSON", images, fal.Call[fal.Training]{ID: "fal-ai/flux-2-trainer", Input: func() {}}, []string{"the request: json: error calling MarshalJSON for type fal.Call[github.com/falimage/falimage-go/fal.Training]: json: unsupported type: func()"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file, err := tt.set.Pack(tt.request, dataset.Options{Logger: slog.New(slog.DiscardHandler)})
			var got []string
			if err != nil {
				for _, p := range asRefused(t, err).Problems {
					got = append(got, p.String())
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || file.IsZero() != (err != nil) {
				t.Errorf("Pack = %v, problems (-want +got):\n%s", file, diff)
			}
		})
	}
}

// TestTriggers hears of trigger words that would not be learnt.
func TestTriggers(t *testing.T) {
	t.Parallel()
	set := func(captions ...string) dataset.Set {
		var items []dataset.Image
		for i, caption := range captions {
			items = append(items, dataset.Image{Name: string(rune('a' + i)), File: fal.Bytes(pngPicture), Caption: caption})
		}
		return dataset.Images(items...)
	}
	const (
		ignored = ": this trainer does not add it to captions, so it would not be learnt from there"
		placed  = ": this trainer puts it only where captions have [trigger], so it would not be learnt from there"
		untold  = ": this trainer is not known to add it to captions, so it would not be learnt from there"
		left    = " would be learnt with the very text [trigger]: this trainer, or a request without trigger word, puts nothing there"
	)
	tests := []struct {
		name    string
		set     dataset.Set
		request fal.Request[fal.Training]
		want    []string
	}{
		{"no captions", set("", " "), flux.FastTrainer{TriggerWord: "TOK"}, nil},
		{"no trigger", set("a cat"), flux.FastTrainer{}, nil},
		{"in the captions", set("a tok cat", "TOK"), flux.FastTrainer{TriggerWord: " TOK "}, nil},
		{"not in a caption", set("a cat", ""), flux.FastTrainer{TriggerWord: "TOK"}, []string{`trigger_word: 'TOK' stands not in the caption of a` + ignored}},
		{"not in several", set("a cat", "TOK", "dog", "cow"), untyped("fal-ai/flux-krea-trainer", "trigger_word", "TOK"), []string{`trigger_word: 'TOK' stands not in the caption of a and 2 more` + ignored}},
		{"FLUX 3 Klein", set("a cat"), flux.Klein3BaseTrainer{TriggerPhrase: "TOK"}, []string{`trigger_phrase: 'TOK' stands not in the caption of a` + ignored}},
		{"Qwen", set("a cat"), untyped("fal-ai/qwen-image-trainer", "trigger_phrase", "TOK"), []string{`trigger_phrase: 'TOK' stands not in the caption of a` + untold}},
		{"placed", set("a [trigger] cat", "TOK"), flux.PortraitTrainer{TriggerPhrase: "TOK"}, nil},
		{"not placed", set("a [trigger] cat", "a cat"), flux.PortraitTrainer{TriggerPhrase: "TOK"}, []string{`trigger_phrase: 'TOK' stands not in the caption of b` + placed}},
		{"default not placed", set("a cat"), flux.TurboTrainer{}, []string{`trigger_phrase: 'ohwx' stands not in the caption of a` + placed}},
		{"default placed", set("[trigger]"), flux.TurboTrainer{}, nil},
		{"nothing to place", set("a [trigger] cat"), flux.PortraitTrainer{}, []string{"a.txt: the caption of a" + left}},
		{"no place here", set("a TOK [trigger]", "[trigger]"), flux.FastTrainer{TriggerWord: "TOK"}, []string{
			"a.txt: the caption of a and 1 more" + left, `trigger_word: 'TOK' stands not in the caption of b` + ignored,
		}},
		{"no trigger field", set("a [trigger] cat"), flux.Dev2Trainer{}, []string{"a.txt: the caption of a" + left}},
		{"a field that is new", set("a cat"), fal.With(flux.Dev2Trainer{}, map[string]any{"trigger_word": "TOK"}), []string{`trigger_word: 'TOK' stands not in the caption of a` + untold}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				switch a.Key {
				case "field", "problem":
					return a
				}
				return slog.Attr{}
			}}))
			if _, err := tt.set.Pack(tt.request, dataset.Options{Logger: logger}); err != nil {
				t.Fatal(err)
			}
			got := strings.Split(strings.NewReplacer("field=", "", " problem=", ": ", `\"`, "'", `"`, "").Replace(log.String()), "\n")
			if diff := cmp.Diff(tt.want, got[:len(got)-1], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("doubts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReferences counts the inputs of pairs, of which a set may have different
// numbers.
func TestReferences(t *testing.T) {
	t.Parallel()
	picture := fal.Bytes(pngPicture)
	pair := func(name string, n int) dataset.Pair {
		return dataset.Pair{Name: name, Start: slices.Repeat([]fal.File{picture}, n), End: picture, Caption: "c"}
	}
	set := dataset.Pairs(pair("a", 3), pair("b", 10), pair("c", 2))
	if most, least := set.References(), set.LeastReferences(); most != 10 || least != 2 {
		t.Errorf("References = %d, LeastReferences = %d", most, least)
	}
	if least := dataset.Pairs().LeastReferences(); least != 0 {
		t.Errorf("LeastReferences of no pairs = %d", least)
	}
	if least := dataset.Images(dataset.Image{File: picture}).LeastReferences(); least != 0 {
		t.Errorf("LeastReferences of pictures = %d", least)
	}
	if _, err := set.Pack(flux.Klein3BaseEditTrainer{}, dataset.Options{}); err != nil {
		t.Error(err)
	}
	if _, err := dataset.Pairs(pair("a", 11)).Pack(flux.Klein3BaseEditTrainer{}, dataset.Options{}); err == nil {
		t.Error("eleven inputs were packed")
	}
}
