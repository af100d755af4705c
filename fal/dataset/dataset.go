package dataset

import (
	"fmt"
	"strconv"

	"golang.org/x/text/unicode/norm"

	"github.com/falimage/falimage-go/fal"
)

// Image is a picture to train on.
type Image struct {
	// Name is the file name in the archive, without its extension. Default:
	// a number.
	Name string
	// File is the picture: PNG, JPEG or WebP, on this computer. Required.
	File fal.File
	// Caption says what the picture shows. It may be left out where the
	// training request has a default caption or a trigger word, and for the
	// FLUX.1 trainers, which write captions themselves. What is to call up
	// the LoRA has to stand in it: with captions, most trainers pass over
	// the trigger word of the request.
	Caption string
	// Mask is white where the picture matters and black elsewhere. Only
	// fal-ai/flux-lora-fast-training and fal-ai/flux-krea-trainer take masks.
	Mask fal.File
}

// Pair is a picture before and after an edit.
type Pair struct {
	// Name is the part that the file names in the archive share. Default: a
	// number.
	Name string
	// Start is the picture to edit, first, and any further reference pictures
	// of the edit: 10 in all for the trainer of FLUX 3 Klein, 4 for those of
	// FLUX.2, 1 for fal-ai/flux-kontext-trainer and
	// fal-ai/qwen-image-edit-trainer, any number for the other Qwen trainers.
	// At least 1; the pairs of a set may differ in it.
	Start []fal.File
	// End is the picture after the edit. Required.
	End fal.File
	// Caption is the instruction that leads from Start to End. It may be left
	// out where the training request has a default caption.
	Caption string
}

// Stack is a picture and the layers it is made of.
type Stack struct {
	// Name is the part that the file names in the archive share. Default: a
	// number.
	Name string
	// Base is the flat picture: PNG or WebP. Required.
	Base fal.File
	// Layers are its layers, PNG or WebP with transparency: 1 to 8, the same
	// number in every stack of a set, in their order.
	Layers []fal.File
	// Caption describes the flat picture. It may be left out where the
	// training request has a default caption.
	Caption string
}

// Set is a training set. It is made by [Images], [Pairs] or [Layers], or from a
// folder by [ReadImages], [ReadPairs] or [ReadLayers]. The zero Set is empty.
// A Set does not change and may be used by several goroutines at once.
type Set struct {
	form   form
	groups []group
	folder folder // where it was read from a folder
}

// folder is what is told of a folder.
type folder struct {
	name   string        // "" where it is not known
	err    error         // it could not be read
	inside []string      // folders in it that have pictures, where it seems to have none
	strays []fal.Problem // files that belong to no group
}

// form is how the files of a set belong together.
type form string

const (
	images form = "single pictures"
	pairs  form = "pairs of pictures"
	layers form = "pictures with layers"
)

// group is the files that share a name, with the caption.
type group struct {
	name    string
	caption string
	refused bool // there is a caption that cannot be used, which is told
	members []member
}

// member is one picture of a group.
type member struct {
	suffix string // "_start2", "_end", "_mask" or ""
	file   fal.File
}

// Images returns a set of single pictures.
func Images(items ...Image) Set {
	s := Set{form: images}
	for i, item := range items {
		g := group{name: nameOf(item.Name, i), caption: item.Caption}
		g.members = append(g.members, member{"", item.File})
		if !item.Mask.IsZero() {
			g.members = append(g.members, member{"_mask", item.Mask})
		}
		s.groups = append(s.groups, g)
	}
	return s
}

// Pairs returns a set of pairs.
func Pairs(items ...Pair) Set {
	s := Set{form: pairs}
	for i, item := range items {
		g := group{name: nameOf(item.Name, i), caption: item.Caption}
		g.add("_start", item.Start)
		g.add("_end", []fal.File{item.End})
		s.groups = append(s.groups, g)
	}
	return s
}

// Layers returns a set of pictures with their layers.
func Layers(items ...Stack) Set {
	s := Set{form: layers}
	for i, item := range items {
		g := group{name: nameOf(item.Name, i), caption: item.Caption}
		g.add("_start", []fal.File{item.Base})
		g.add("_end", item.Layers)
		s.groups = append(s.groups, g)
	}
	return s
}

// add appends files as _start, _start2, _start3 and so on.
func (g *group) add(suffix string, files []fal.File) {
	for i, file := range files {
		s := suffix
		if i > 0 {
			s += strconv.Itoa(i + 1)
		}
		g.members = append(g.members, member{s, file})
	}
}

// count returns the number of pictures whose suffix begins with prefix.
func (g *group) count(prefix string) int {
	n := 0
	for _, m := range g.members {
		if kind, _ := number(m.suffix); kind == prefix {
			n++
		}
	}
	return n
}

// Len returns the number of pictures, pairs or stacks.
func (s Set) Len() int { return len(s.groups) }

// References returns the largest number of start pictures that a pair has. The
// price of training an edit LoRA of FLUX.2 or FLUX 3 Klein depends on it. It is 0
// for other sets.
func (s Set) References() int {
	if s.form != pairs {
		return 0
	}
	return s.most("_start")
}

// LeastReferences returns the smallest number of start pictures that a pair has.
// It is 0 for other sets.
func (s Set) LeastReferences() int {
	if s.form != pairs || len(s.groups) == 0 {
		return 0
	}
	least := s.most("_start")
	for _, g := range s.groups {
		least = min(least, g.count("_start"))
	}
	return least
}

// Layers returns the largest number of layers that a stack has. The price of
// training a layered LoRA depends on it. It is 0 for other sets.
func (s Set) Layers() int {
	if s.form != layers {
		return 0
	}
	return s.most("_end")
}

func (s Set) most(prefix string) int {
	n := 0
	for _, g := range s.groups {
		n = max(n, g.count(prefix))
	}
	return n
}

// nameOf returns the name of item i: by default its number, from 1.
func nameOf(name string, i int) string {
	if name != "" {
		return norm.NFC.String(name)
	}
	return fmt.Sprintf("%05d", i+1)
}
