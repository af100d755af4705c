package flux

import (
	"slices"
	"strconv"

	"github.com/falimage/falimage-go/fal"
)

// Refs gathers the pictures that a FLUX.2 edit prompt refers to, so that the
// numbers in the prompt and the order of the files agree by themselves:
//
//	var refs flux.Refs
//	mug := refs.Add(fal.Path("mug.png"))
//	table := refs.Add(fal.Path("table.jpg"))
//	req := flux.Pro2Edit{
//		Prompt:    "put the mug of " + mug + " on the table of " + table,
//		ImageURLs: refs.Files(),
//	}
//
// The zero Refs is empty and ready to use. It is not for several goroutines at
// once.
type Refs struct{ files []fal.File }

// Add appends a picture and returns how the prompt refers to it: "@image1" for
// the first, "@image2" for the second, and so on.
func (r *Refs) Add(file fal.File) string {
	r.files = append(r.files, file)
	return "@image" + strconv.Itoa(len(r.files))
}

// Files returns the pictures in the order of their numbers, for the ImageURLs
// field of a request. The list belongs to the caller.
func (r *Refs) Files() []fal.File { return slices.Clone(r.files) }
