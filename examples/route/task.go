package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// example is the task of a run without flags: text and a brand colour.
const example = "A storefront at dusk with a neon sign reading 'OPEN LATE', photographed from across the street"

// options are what the flags say.
type options struct {
	task    router.Task
	top     int
	refused bool
	asJSON  bool
}

// parse reads the flags and the task file that they name.
func parse(args []string, in io.Reader, usage io.Writer) (o options, err error) {
	f := flag.NewFlagSet("route", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are returned
	file := f.String("f", "", "JSON `file` with a task, - for the standard input; flags change what it says")
	f.IntVar(&o.top, "top", 3, "number of models whose reasons are shown")
	f.BoolVar(&o.refused, "refused", false, "show the models that cannot serve the task, and why")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON document instead")

	// What the flags say is noted first, since -f may come after them.
	var changes []func(*router.Task) error
	for _, c := range controls {
		f.Func(c.name, c.usage, func(value string) error {
			change := func(t *router.Task) error { return c.set(t, value) }
			changes = append(changes, change)
			return change(new(router.Task))
		})
	}
	f.BoolFunc("verbatim", "the prompt must not be rewritten", func(value string) error {
		on, err := strconv.ParseBool(value)
		changes = append(changes, func(t *router.Task) error { t.VerbatimPrompt = on; return nil })
		return err
	})
	f.BoolFunc("transparent", "the background must be transparent", func(value string) error {
		on, err := strconv.ParseBool(value)
		changes = append(changes, func(t *router.Task) error { t.Transparent = on; return nil })
		return err
	})
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(usage)
			f.PrintDefaults()
		}
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; a prompt is given by -prompt", f.Arg(0))
	}
	if *file != "" {
		if o.task, err = read(*file, in); err != nil {
			return o, err
		}
	}
	for _, change := range changes {
		if err := change(&o.task); err != nil {
			return o, err
		}
	}
	if t := &o.task; t.Prompt == "" && t.Structured == nil && t.Edit == "" && len(t.Pictures) == 0 {
		t.Prompt = example
	}
	return o, nil
}

// read reads a task from a file.
func read(name string, in io.Reader) (t router.Task, err error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return t, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return t, fmt.Errorf("%s: %w", name, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return t, fmt.Errorf("%s: there is something after the task", name)
	}
	return t, nil
}

// control is a flag that sets a field of the task.
type control struct {
	name, usage string
	set         func(t *router.Task, value string) error
}

var controls = []control{
	{"prompt", "what the pictures show, or what to change", func(t *router.Task, s string) error { t.Prompt = s; return nil }},
	{"negative", "what the pictures must not show", func(t *router.Task, s string) error { t.NegativePrompt = s; return nil }},
	{"pictures", "pictures to edit or refer to, paths or URLs, separated by commas", func(t *router.Task, s string) (err error) {
		t.Pictures, err = router.LocalPictures(files(s)...)
		return err
	}},
	{"mask", "picture, path or URL, that is white where to change", func(t *router.Task, s string) error { t.Mask = file(s); return nil }},
	{"edit", "what is done with the pictures, such as background or in-context", func(t *router.Task, s string) error { t.Edit = router.Edit(s); return nil }},
	{"strength", "how much of the picture the edit rework makes anew, 0.01 to 1", func(t *router.Task, s string) error {
		strength, err := strconv.ParseFloat(s, 64)
		t.Strength = &strength
		return err
	}},
	{"min-pixels", "least area of each picture", func(t *router.Task, s string) (err error) { t.MinPixels, err = strconv.Atoi(s); return err }},
	{"size", "size such as 1920x1080 or square_hd", func(t *router.Task, s string) error { t.Size = fal.ImageSize(s); return nil }},
	{"aspect", "aspect ratio such as 16:9", func(t *router.Task, s string) error { t.Aspect = s; return nil }},
	{"n", "number of pictures", func(t *router.Task, s string) (err error) { t.Count, err = strconv.Atoi(s); return err }},
	{"purpose", "photo, product, illustration, poster, infographic, comic, ui or texture", func(t *router.Task, s string) error { t.Purpose = router.Purpose(s); return nil }},
	{"stage", "preview, draft or final", func(t *router.Task, s string) error { t.Stage = router.Stage(s); return nil }},
	{"text", "what is to be read in the pictures; what stands in quotes in the prompt is found anyway", func(t *router.Task, s string) error { t.Text = []string{s}; return nil }},
	{"languages", "languages of the text, such as en,zh-Hant", func(t *router.Task, s string) error { t.Languages = demo.List(s); return nil }},
	{"colors", "exact colours, such as #2ECC71,#1B3A5C", func(t *router.Task, s string) error { return colors(t, s) }},
	{"seed", "where the randomness starts", func(t *router.Task, s string) error {
		seed, err := strconv.ParseUint(s, 10, 64)
		t.Seed = &seed
		return err
	}},
	{"steps", "number of inference steps", func(t *router.Task, s string) (err error) { t.Steps, err = strconv.Atoi(s); return err }},
	{"max", "most that all pictures may cost, such as $0.50", func(t *router.Task, s string) (err error) {
		t.MaxPrice, err = pricing.ParseUSD(s)
		return err
	}},
	{"max-each", "most that each picture may cost", func(t *router.Task, s string) (err error) {
		t.MaxPricePerImage, err = pricing.ParseUSD(s)
		return err
	}},
	{"licence", "what the licence of the weights must allow: open or apache", func(t *router.Task, s string) error { t.Licence = router.Licence(s); return nil }},
	{"format", "file format of the pictures, such as png", func(t *router.Task, s string) error { t.Format = fal.OutputFormat(s); return nil }},
	{"only", "models allowed: packages, families, Go types or endpoints, separated by commas", func(t *router.Task, s string) error { t.Only = demo.List(s); return nil }},
	{"not", "models banned, as for -only", func(t *router.Task, s string) error { t.Not = demo.List(s); return nil }},
	{"require", "what must not be lost, such as seed,hex colours", func(t *router.Task, s string) error {
		for _, name := range demo.List(s) {
			t.Require = append(t.Require, router.Feature(name))
		}
		return nil
	}},
	{"prefer", "weights of quality, speed and price, such as 3,1,0", prefer},
}

// file returns a file by its path or URL.
func file(name string) fal.File {
	if strings.Contains(name, "://") {
		return fal.URL(name)
	}
	return fal.Path(name)
}

func files(list string) []fal.File {
	var out []fal.File
	for _, name := range demo.List(list) {
		out = append(out, file(name))
	}
	return out
}

func colors(t *router.Task, list string) error {
	t.Colors = nil
	for _, code := range demo.List(list) {
		c, err := flux.Hex(code)
		if err != nil {
			return err
		}
		t.Colors = append(t.Colors, c)
	}
	return nil
}

func prefer(t *router.Task, list string) (err error) {
	weights := demo.List(list)
	if len(weights) != 3 {
		return errors.New("must be three numbers such as 3,1,0")
	}
	for i, to := range []*int{&t.Prefer.Quality, &t.Prefer.Speed, &t.Prefer.Price} {
		if *to, err = strconv.Atoi(weights[i]); err != nil {
			return err
		}
	}
	return nil
}
