package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/internal/exif"
)

// maxName is the longest name of a file that every system can unpack, in bytes,
// with room for what is added to it.
const maxName = 200

// checker collects the files of an archive, and what is wrong with them.
type checker struct {
	request  request
	options  Options
	trainer  trainer
	form     form
	problems []fal.Problem
	entries  []entry
	turned   []string // pictures that are shown otherwise than they are stored
}

func (c *checker) add(field, value, message string) {
	c.problems = append(c.problems, fal.Problem{Field: field, Value: value, Message: message})
}

// set checks everything, and sorts the entries.
func (c *checker) set(s Set) {
	var known bool
	if c.trainer, known = trainerOf(c.request.endpoint, s.form); !known {
		c.add("endpoint", c.request.endpoint, "is no trainer that is known here; the nearest are "+strings.Join(nearest(c.request.endpoint), ", "))
	}
	if s.folder.err != nil {
		c.problems = append(c.problems, unreadable("the folder", s.folder.name, s.folder.err))
		return
	}
	if s.form != "" && c.trainer.form != s.form {
		// Every file would be wrong: naming each would hide the reason.
		c.add("the set", s.folder.name, "has "+string(s.form)+"; this trainer takes "+string(c.trainer.form))
		return
	}
	if len(s.groups) == 0 && len(s.folder.inside) == 0 {
		c.add("the set", s.folder.name, "has no pictures")
	}
	c.problems = append(c.problems, s.folder.strays...)
	names := make(map[string]string)
	for _, g := range s.groups {
		other, found := names[fold(g.name)]
		switch {
		case !found:
			names[fold(g.name)] = g.name
			c.group(g)
		case other == g.name:
			c.add(g.name, "", "stands twice: every name must be another")
		default:
			c.add(g.name, "", "differs from "+other+" in capital letters only: on many systems they are the same file")
		}
	}
	if c.form == layers {
		c.sameLayers(s)
	}
	if len(s.folder.inside) > 0 && !slices.ContainsFunc(c.entries, func(e entry) bool { return !e.file.IsZero() }) {
		c.add("the set", s.folder.name, "has no pictures itself: they are one folder down, in "+strings.Join(s.folder.inside, ", ")+", which is to be read instead")
	}
	slices.SortFunc(c.entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
}

func (c *checker) group(g group) {
	switch why := badName(g.name); {
	case len(g.members) == 0 && pictureName.MatchString(g.name):
		c.add(g.name+".txt", "", "has a caption and no picture: the caption of "+g.name+" stands in "+pictureName.ReplaceAllString(g.name, "")+".txt")
		return
	case len(g.members) == 0:
		c.add(g.name+".txt", "", "has a caption and no picture")
		return
	case why != "":
		c.add(strconv.Quote(g.name), g.members[0].file.String(), why)
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
	heads := make(map[string]head)
	for _, m := range g.members {
		if _, found := heads[m.suffix]; found {
			c.add(g.name+m.suffix, m.file.String(), "stands twice: there is one more picture of that name")
			continue
		}
		heads[m.suffix] = c.picture(g.name+m.suffix, m.file)
	}
	if picture, mask := heads[""].shown(), heads["_mask"].shown(); picture != mask && picture != (image.Point{}) && mask != (image.Point{}) {
		c.add(g.name+"_mask", "", fmt.Sprintf("is shown as %dx%d, and its picture as %dx%d", mask.X, mask.Y, picture.X, picture.Y))
	}
	c.caption(g)
}

func (c *checker) caption(g group) {
	switch {
	case !utf8.ValidString(g.caption) || strings.ContainsRune(g.caption, 0):
		c.add(g.name+".txt", "", "must be text in UTF-8")
	case strings.TrimSpace(g.caption) != "":
		c.entries = append(c.entries, entry{name: g.name + ".txt", text: g.caption})
	case c.trainer.captions && !g.refused && strings.TrimSpace(c.request.caption()) == "":
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
	if g.members[0].suffix == "_mask" {
		c.add(g.name, "", "is missing: only its mask is there")
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
	if n := len(numbers); most > 0 && n > 0 && numbers[n-1] > most {
		c.add(g.name+kind+strconv.Itoa(numbers[n-1]), "", "is too many: this trainer takes "+g.name+kind+upTo(g.name, kind, most))
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
	stacks := slices.DeleteFunc(slices.Clone(s.groups), func(g group) bool { return len(g.members) == 0 })
	for _, g := range stacks {
		if n, first := g.count("_end"), stacks[0].count("_end"); n != first {
			c.add(g.name, "", fmt.Sprintf("has %d layers and %s has %d: all must have the same number", n, stacks[0].name, first))
		}
	}
}

// picture checks the head of a picture and makes it an entry. The head is the
// zero head if there is a problem.
func (c *checker) picture(name string, file fal.File) head {
	if file.IsZero() {
		c.add(name, "", "is missing")
		return head{}
	}
	h, err := look(file)
	switch {
	case errors.Is(err, fal.ErrRemote):
		c.add(name, file.String(), "must be on this computer to be packed")
	case err != nil:
		c.problems = append(c.problems, unreadable(name, file.String(), err))
	case c.form == layers && h.ext == ".jpg":
		c.add(name, file.String(), "is a JPEG picture; the layered trainer takes PNG and WebP, which can be transparent")
	case c.options.Upright && h.turn != 1 && h.pixels() > exif.MaxPixels:
		c.add(name, file.String(), fmt.Sprintf("has %d megapixels, which is too many to be turned upright here", h.pixels()>>20))
	default:
		e := entry{name: name + h.ext, file: file, turn: 1}
		if h.turn != 1 {
			c.turned = append(c.turned, name)
			if c.options.Upright {
				e.turn = h.turn
				e.name = name + h.turnedExt()
			}
		}
		c.entries = append(c.entries, e)
		return h
	}
	return head{}
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
	case len(name) > maxName:
		return fmt.Sprintf("must have at most %d bytes", maxName)
	case pictureName.MatchString(name):
		return "must not end in " + pictureName.FindString(name) + " itself: the extension follows it"
	default:
		return ""
	}
}

// fold returns what a name has in common with those that differ from it in
// capital letters only.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }
