package dataset_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log"
	"testing/fstest"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/dataset"
	"github.com/falimage/falimage-go/flux"
)

// photo stands for a picture of yours.
func photo() *fstest.MapFile {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 512, 512))); err != nil {
		log.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

// A folder of photos is checked, mended and packed for a trainer.
func ExampleSet_Pack() {
	photos := fstest.MapFS{ // os.DirFS("photos") outside of an example
		"cat.png": photo(),
		"cat.txt": {Data: []byte("a cat on a sofa")},
		"dog.png": {Data: []byte("<html>not found</html>")},
	}
	_, err := dataset.ReadImages(photos).Pack(flux.Dev2Trainer{}, dataset.Options{})
	if refused, ok := errors.AsType[*fal.ValidationError](err); ok {
		for _, problem := range refused.Problems {
			fmt.Println(problem)
		}
	}

	photos["dog.png"] = photo()
	set := dataset.ReadImages(photos)
	req := flux.Dev2Trainer{DefaultCaption: "a photo of a pet"}
	req.ImageDataURL, err = set.Pack(req, dataset.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(set.Len(), "pictures for", req.Endpoint())
	// Output:
	// dog: file dog.png: is no picture, but of type text/html
	// dog.txt: is missing: every picture needs a caption, or the request a default caption
	// 2 pictures for fal-ai/flux-2-trainer
}
