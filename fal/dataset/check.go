package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/falimage/falimage-go/fal"
)

// check returns the entries of the archive in their order, or a
// *fal.ValidationError with everything that is wrong.
func (s Set) check(o Options) ([]entry, error) {
	c := checker{options: o, trainer: trainerOf(o.Trainer, s.form), form: s.form}
	c.set(s)
	if len(c.problems) == 0 {
		slices.SortFunc(c.entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
		return c.entries, nil
	}
	return nil, &fal.ValidationError{Endpoint: cmp.Or(o.Trainer, "training set"), Problems: c.problems}
}

type checker struct {
	options  Options
	trainer  trainer
	form     form
	problems []fal.Problem
	entries  []entry
}

func (c *checker) add(field, value, message string) {
	c.problems = append(c.problems, fal.Problem{Field: field, Value: value, Message: message})
}

func (c *checker) set(s Set) {
	if s.form != "" && c.trainer.form != s.form {
		// Every file would be wrong: naming each would hide the reason.
		c.add("the set", "", "has "+string(s.form)+"; this trainer takes "+string(c.trainer.form))
		return
	}
	if len(s.groups) == 0 {
		c.add("the set", "", "has no pictures")
	}
	for _, stray := range s.strays {
		c.add(stray.name, "", stray.why)
	}
	names := make(map[string]bool)
	for _, g := range s.groups {
		if names[g.name] {
			c.add(g.name, "", "stands twice: every name must be another")
			continue
		}
		names[g.name] = true
		c.group(g)
	}
	if c.form == layers {
		c.sameLayers(s)
	}
}

func (c *checker) group(g group) {
	if why := badName(g.name); why != "" {
		c.add(strconv.Quote(g.name), "", why)
		return
	}
	if len(g.members) == 0 {
		c.add(g.name+".txt", "", "has a caption and no picture")
		return
	}
	switch c.form {
	case pairs:
		c.numbered(g, "_start", c.trainer.references)
		c.numbered(g, "_end", 1)
	case layers:
		c.numbered(g, "_start", 1)
		c.numbered(g, "_end", maxLayers)
	default:
		c.single(g)
	}
	suffixes := make(map[string]bool)
	for _, m := range g.members {
		if suffixes[m.suffix] {
			c.add(g.name+m.suffix, "", "stands twice, with different extensions")
			continue
		}
		suffixes[m.suffix] = true
		c.picture(g.name+m.suffix, m.file)
	}
	switch {
	case strings.TrimSpace(g.caption) != "":
		c.entries = append(c.entries, entry{name: g.name + ".txt", text: g.caption})
	case c.trainer.captions && strings.TrimSpace(c.options.DefaultCaption) == "":
		c.add(g.name+".txt", "", "is missing: every picture needs a caption, or the request a default caption")
	}
}

// single checks the names of a picture and its mask.
func (c *checker) single(g group) {
	for _, m := range g.members {
		if m.suffix == "_mask" && !c.trainer.masks {
			c.add(g.name+"_mask", "", "is a mask, and this trainer takes none")
		}
	}
	if c.trainer.masks && strings.HasSuffix(g.name, "_mask") {
		c.add(g.name, "", "would be taken for the mask of "+strings.TrimSuffix(g.name, "_mask"))
	}
}

// numbered checks that the pictures of one kind are there, without a gap and at
// most so many (0: any number).
func (c *checker) numbered(g group, kind string, most int) {
	var numbers []int
	for _, m := range g.members {
		if k, n := number(m.suffix); k == kind {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers) // what stands twice is named elsewhere
	highest := 1
	if len(numbers) > 0 {
		highest = numbers[len(numbers)-1]
	}
	if most > 0 && highest > most {
		c.add(g.name+kind+strconv.Itoa(highest), "", "is too many: this trainer takes "+g.name+kind+upTo(g.name, kind, most))
		return
	}
	if !slices.Contains(numbers, 1) {
		c.add(g.name+kind, "", "is missing")
	}
	for i := 1; i < len(numbers); i++ {
		if numbers[i] > numbers[i-1]+1 {
			c.add(g.name+kind+strconv.Itoa(numbers[i-1]+1), "", "is missing before "+g.name+kind+strconv.Itoa(numbers[i]))
		}
	}
}

func upTo(name, kind string, most int) string {
	if most == 1 {
		return " only"
	}
	return " to " + name + kind + strconv.Itoa(most)
}

// sameLayers checks that every stack has as many layers as the first.
func (c *checker) sameLayers(s Set) {
	if len(s.groups) == 0 {
		return
	}
	first := s.groups[0].count("_end")
	for _, g := range s.groups[1:] {
		if n := g.count("_end"); n != first {
			c.add(g.name, "", fmt.Sprintf("has %d layers and %s has %d: all must have the same number", n, s.groups[0].name, first))
		}
	}
}

// picture checks the head of a picture and makes it an entry.
func (c *checker) picture(name string, file fal.File) {
	if file.IsZero() {
		c.add(name, "", "is missing")
		return
	}
	ext, err := format(file)
	if errors.Is(err, fal.ErrRemote) {
		c.add(name, file.String(), "must be on this computer to be packed")
		return
	}
	if err == nil && ext != "" {
		_, _, err = file.Dimensions() // finds heads that are cut short
	}
	switch {
	case err != nil:
		c.add(name, file.String(), err.Error())
	case ext == "":
		c.add(name, file.String(), "is not a PNG, JPEG or WebP picture")
	case c.form == layers && ext == ".jpg":
		c.add(name, file.String(), "is a JPEG picture; the layered trainer takes PNG and WebP, which can be transparent")
	default:
		c.entries = append(c.entries, entry{name: name + ext, file: file})
	}
}

// format returns the extension that belongs to the content of a file, or "" for
// what trainers do not take. JPEG, PNG and WebP are documented for
// fal-ai/qwen-image-trainer and assumed for the others.
func format(file fal.File) (string, error) {
	r, err := file.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	var head [12]byte
	n, err := io.ReadFull(r, head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	switch b := string(head[:n]); {
	case strings.HasPrefix(b, "\x89PNG\r\n\x1a\n"):
		return ".png", nil
	case strings.HasPrefix(b, "\xff\xd8\xff"):
		return ".jpg", nil
	case strings.HasPrefix(b, "RIFF") && strings.HasSuffix(b, "WEBP") && n == len(head):
		return ".webp", nil
	default:
		return "", nil
	}
}

// badName returns what is wrong with a name as a file name inside an archive.
func badName(name string) string {
	switch {
	case strings.HasPrefix(name, "."):
		return "must not begin with a dot: trainers pass over hidden files"
	case strings.ContainsAny(name, `/\`):
		return "must not have a slash: archives are flat"
	case strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsRune(name, unicode.ReplacementChar):
		return "must be printable text"
	default:
		return ""
	}
}
