package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
)

// Local returns pictures with the sizes that their files say, for exact
// quotes: only the headers of PNG, JPEG, WebP and GIF files are read. Pictures
// behind http and https URLs keep an unknown size; see [Remote].
func Local(files ...fal.File) ([]Picture, error) {
	out := make([]Picture, len(files))
	for i, f := range files {
		out[i].File = f
		var err error
		out[i].Width, out[i].Height, err = f.Dimensions()
		if err != nil && !errors.Is(err, fal.ErrRemote) {
			return nil, fmt.Errorf("router: picture %d: %w", i+1, err)
		}
	}
	return out, nil
}

// Remote is like [Local] but looks up the sizes of remote pictures too, by
// [fal.Client.Dimensions].
func Remote(ctx context.Context, c *fal.Client, files ...fal.File) ([]Picture, error) {
	out := make([]Picture, len(files))
	for i, f := range files {
		out[i].File = f
		var err error
		if out[i].Width, out[i].Height, err = c.Dimensions(ctx, f); err != nil {
			return nil, fmt.Errorf("router: picture %d: %w", i+1, err)
		}
	}
	return out, nil
}
