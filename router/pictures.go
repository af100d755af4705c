package router

import (
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
)

// LocalPictures returns pictures with the sizes that their files say, for exact
// quotes: only the headers of PNG, JPEG, WebP and GIF files are read. Pictures
// behind http and https URLs keep an unknown size: looking those up takes a
// client, and is done by RemotePictures of package studio.
func LocalPictures(files ...fal.File) ([]Picture, error) {
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
