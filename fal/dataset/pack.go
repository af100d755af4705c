package dataset

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/falimage/falimage-go/fal"
)

// Options say how an archive is made. The zero Options are ready to use.
type Options struct {
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

// Pack checks the set against the request that will train on it, and returns the
// archive for it:
//
//	req := flux.Dev2Trainer{DefaultCaption: "a photo of TOK"}
//	req.ImageDataURL, err = set.Pack(req, dataset.Options{})
//
// The request says what is known of its trainer, and whether captions may be
// missing; default captions and trigger words are not written into the archive. A
// nil request takes any set that is whole, for trainers that are not known here.
//
// The error is a [*fal.ValidationError] that lists every problem by file name:
// missing captions and halves of pairs, names that stand twice, masks of another
// size than their picture, files that are no pictures or of a format that the
// trainer does not take, whatever they are called, a folder that cannot be read,
// an endpoint that is no trainer. What is doubtful only is logged: pictures that
// are stored turned, and a trigger word that the trainer would never see since it
// stands in no caption.
//
// Only the heads of the pictures are read. The archive is written anew each time
// it is opened, while it is read: pictures are not held in memory (one at a time
// with Upright), and the same set gives the same bytes, so that it is not
// uploaded twice. The pictures must not change in between; one that cannot be
// read any more fails the upload with a [*fal.ValidationError] too.
func (s Set) Pack(r fal.Request[fal.Training], o Options) (fal.File, error) {
	req, err := requestOf(r)
	if err != nil {
		return fal.File{}, refuse(req.endpoint, fal.Problem{Field: "the request", Message: err.Error(), Err: err})
	}
	c := checker{request: req, options: o, form: s.form}
	c.set(s)
	if len(c.problems) > 0 {
		return fal.File{}, refuse(req.endpoint, c.problems...)
	}
	if len(c.turned) > 0 && !o.Upright {
		are := " is"
		if len(c.turned) > 1 {
			are = " are"
		}
		c.doubt(c.turned[0], some(c.turned)+are+" stored turned, which the metadata says and a trainer may not heed: Options.Upright turns such pictures")
	}
	c.triggers(s)
	return archive(req.endpoint, c.entries), nil
}

// doubt logs what is doubtful but not refused.
func (c *checker) doubt(field, problem string) {
	cmp.Or(c.options.Logger, slog.Default()).LogAttrs(context.Background(), slog.LevelWarn, "fal training set doubt",
		slog.String("endpoint", c.request.endpoint), slog.String("field", field), slog.String("problem", problem))
}

// refuse returns the one error of this package.
func refuse(trainer string, problems ...fal.Problem) error {
	return &fal.ValidationError{Endpoint: cmp.Or(trainer, "training set"), Problems: problems}
}
