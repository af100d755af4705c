package dataset_test

import (
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/dataset"
	"github.com/falimage/falimage-go/qwen"
)

func ExamplePairs() {
	day, night := fal.Bytes(pngPicture), fal.Bytes(jpegPicture)
	set := dataset.Pairs(dataset.Pair{
		Name:    "street",
		Start:   []fal.File{day},
		End:     night,
		Caption: "make it night",
	})
	archive, err := set.Pack(qwen.Edit2509Trainer{}, dataset.Options{})
	fmt.Println(archive, err, set.Len(), set.References())
	// Output: file dataset.zip <nil> 1 1
}
