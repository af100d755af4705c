package dataset

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"github.com/falimage/falimage-go/fal"
)

// Options say what an archive is for.
type Options struct {
	// Trainer is the endpoint id of the trainer, such as
	// "fal-ai/flux-2-trainer/edit": what is known of it is checked. "" takes
	// any set that is whole. An id that is not known is an error that names the
	// nearest that are; leave it out to pack for a newer trainer.
	Trainer string
	// DefaultCaption is the default caption or trigger phrase that the
	// training request will have. With one, captions may be missing. It is
	// not written into the archive.
	DefaultCaption string
	// Upright turns pictures and masks that are stored lying, mirrored or
	// upside down, as their metadata says, into what viewers show. They are
	// written anew as the archive is read, JPEG as JPEG of high quality and the
	// others as PNG, at most 64 megapixels each. The default leaves them as
	// they are, with a doubt: whether trainers heed the metadata is not
	// documented.
	Upright bool
	// Logger gets a record at warn level for each doubt about a set that is
	// packed all the same. Nil means [slog.Default].
	Logger *slog.Logger
}

// Pack checks the set and returns the archive. The error is a
// [*fal.ValidationError] that lists every problem by file name: missing
// captions and halves of pairs, names that stand twice, masks of another size
// than their picture, files that are no pictures or of a format that the trainer
// does not take, whatever they are called, a folder that cannot be read.
//
// Only the heads of the pictures are read. The archive is written anew each time
// it is opened, while it is read: pictures are not held in memory (one at a time
// with Upright), and the same set gives the same bytes, so that it is not
// uploaded twice. The pictures must not change in between; one that cannot be
// read any more fails the upload with a [*fal.ValidationError] too.
func (s Set) Pack(o Options) (fal.File, error) {
	c := checker{options: o, form: s.form}
	c.set(s)
	if len(c.problems) > 0 {
		return fal.File{}, refuse(o.Trainer, c.problems...)
	}
	if len(c.turned) > 0 && !o.Upright {
		who := c.turned[0] + " is"
		if n := len(c.turned); n > 1 {
			who = fmt.Sprintf("%s and %d more are", c.turned[0], n-1)
		}
		cmp.Or(o.Logger, slog.Default()).LogAttrs(context.Background(), slog.LevelWarn, "fal training set doubt",
			slog.String("endpoint", o.Trainer), slog.String("field", c.turned[0]),
			slog.String("problem", who+" stored turned, which the metadata says and a trainer may not heed: Options.Upright turns such pictures"))
	}
	return archive(o.Trainer, c.entries), nil
}

// refuse returns the one error of this package.
func refuse(trainer string, problems ...fal.Problem) error {
	return &fal.ValidationError{Endpoint: cmp.Or(trainer, "training set"), Problems: problems}
}
