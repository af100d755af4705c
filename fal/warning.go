package fal

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"strings"
)

// Warning is something about a result that is no error, and that its user
// should know. All of a result are also logged at warn level, in one line.
type Warning struct {
	Kind string // such as FewerPictures
	// Picture is the number of the picture in Images, from 0; -1 where the
	// warning is about all of them.
	Picture int
	Message string
}

func (w Warning) String() string { return w.Message }

// The kinds of a [Warning].
const (
	FewerPictures = "fewer pictures" // than were asked for; all of them may be billed
	OtherSize     = "other size"     // than was asked for
	FlaggedByFal  = "flagged"        // by the safety checker: the picture may be black
	AllBlack      = "all black"      // as [RefuseFlagged] found by looking at it
)

// compare holds a result against what was asked for.
func (r *Images) compare(u Usage) {
	warn := func(kind string, picture int, format string, args ...any) {
		r.Warnings = append(r.Warnings, Warning{kind, picture, fmt.Sprintf(format, args...)})
	}
	r.Warnings = nil
	if n := len(r.Images); n < u.Outputs {
		warn(FewerPictures, -1, "%d of %d pictures came", n, u.Outputs)
	}
	width, height, sized := u.Size.Dimensions()
	for i, p := range r.Images {
		if sized && p.Width > 0 && p.Height > 0 && (p.Width != width || p.Height != height) {
			warn(OtherSize, i, "picture %d is %dx%d, %dx%d was asked for", i, p.Width, p.Height, width, height)
		}
		if r.Flagged(i) {
			warn(FlaggedByFal, i, "the safety checker flagged picture %d", i)
		}
	}
}

// flaggedError is an [ErrFlagged] that says which pictures it is about.
type flaggedError struct {
	meta     Meta
	pictures []int
}

func (e *flaggedError) Error() string {
	return fmt.Sprintf("fal: %s: the safety checker flagged pictures %v: they are charged, and may be black (request %s)", e.meta.Endpoint, e.pictures, e.meta.RequestID)
}

func (e *flaggedError) Is(target error) bool { return target == ErrFlagged }
func (e *flaggedError) Charged() Billing     { return Billed }
func (e *flaggedError) requestID() string    { return e.meta.RequestID }

// refuseFlagged returns an error if the safety checker flagged a picture. Where
// the model does not tell, each is looked at.
func (r *Images) refuseFlagged(ctx context.Context, c *Client) error {
	for i, picture := range r.Images {
		if len(r.HasNSFWConcepts) > 0 {
			break
		}
		// A picture that cannot be looked at is left to whoever saves it.
		if m, err := c.Decode(ctx, picture); err == nil && black(m) {
			r.Warnings = append(r.Warnings, Warning{AllBlack, i, fmt.Sprintf("picture %d is all black", i)})
		}
	}
	e := &flaggedError{meta: r.Meta}
	for _, w := range r.Warnings {
		if w.Kind == FlaggedByFal || w.Kind == AllBlack {
			e.pictures = append(e.pictures, w.Picture)
		}
	}
	if len(e.pictures) == 0 {
		return nil
	}
	return e
}

// black reports whether a picture is black all over, but for what lossy
// compression leaves.
func black(m image.Image) bool {
	const dark = 0x0800 // of 0xffff
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, g, blue, _ := m.At(x, y).RGBA(); max(r, g, blue) > dark {
				return false
			}
		}
	}
	return !b.Empty()
}

// check holds a result against what was asked for.
func check(ctx context.Context, c *Client, out any, u Usage, refuseFlagged bool) (err error) {
	images, ok := out.(*Images)
	if !ok {
		return nil
	}
	images.compare(u)
	if refuseFlagged {
		err = images.refuseFlagged(ctx, c)
	}
	if len(images.Warnings) > 0 && c.logger.Enabled(ctx, slog.LevelWarn) {
		texts := make([]string, len(images.Warnings))
		for i, w := range images.Warnings {
			texts[i] = w.Message
		}
		c.logger.LogAttrs(ctx, slog.LevelWarn, "fal result warning",
			slog.String("endpoint", images.Endpoint), slog.String("request", images.RequestID), slog.String("warning", shortenTo(strings.Join(texts, "; "), maxMessage)))
	}
	return err
}
