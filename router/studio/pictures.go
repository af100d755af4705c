package studio

import (
	"context"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/router"
)

// RemotePictures is like [router.LocalPictures] but looks up the sizes of remote
// pictures too, by [fal.Client.Dimensions].
func RemotePictures(ctx context.Context, c *fal.Client, files ...fal.File) ([]router.Picture, error) {
	out := make([]router.Picture, len(files))
	for i, f := range files {
		out[i].File = f
		var err error
		if out[i].Width, out[i].Height, err = c.Dimensions(ctx, f); err != nil {
			return nil, fmt.Errorf("studio: picture %d: %w", i+1, err)
		}
	}
	return out, nil
}
