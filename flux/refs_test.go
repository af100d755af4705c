package flux_test

import (
	"fmt"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

func TestRefs(t *testing.T) {
	t.Parallel()
	var refs flux.Refs
	if got := refs.Files(); len(got) != 0 {
		t.Errorf("no files were added, and Files has %d", len(got))
	}
	mug, table := fal.URL("https://x/mug.png"), fal.URL("https://x/table.png")
	for i, file := range []fal.File{mug, table, mug} {
		if got, want := refs.Add(file), fmt.Sprintf("@image%d", i+1); got != want {
			t.Errorf("Add = %q, want %q", got, want)
		}
	}
	files := refs.Files()
	if len(files) != 3 || files[0] != mug || files[1] != table || files[2] != mug {
		t.Errorf("Files = %v", files)
	}
	files[0] = table
	if refs.Files()[0] != mug {
		t.Error("a change of the returned list changed the Refs")
	}
}

func ExampleRefs() {
	var refs flux.Refs
	mug := refs.Add(fal.URL("https://example.com/mug.png"))
	table := refs.Add(fal.URL("https://example.com/table.jpg"))
	req := flux.Pro2Edit{
		Prompt:    "put the mug of " + mug + " on the table of " + table,
		ImageURLs: refs.Files(),
	}
	fmt.Println(req.Prompt)
	fmt.Println(len(req.ImageURLs))
	// Output:
	// put the mug of @image1 on the table of @image2
	// 2
}
