package fal_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
)

// caption is what a model answers that this module has no type for.
type caption struct {
	fal.Meta `json:"-"`

	Output string `json:"output"`
}

// An endpoint without a type of its own is called with any input. Files in it
// are uploaded wherever they stand.
func ExampleCall() {
	srv := faltest.New()
	defer srv.Close()
	srv.Handle("acme/caption", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"output": "a fox in the snow"}`)
	})

	out, err := fal.Run(context.Background(), srv.Client(), fal.Call[caption]{
		ID: "acme/caption",
		Input: map[string]any{
			"pictures": []map[string]any{{"url": fal.Bytes([]byte("a picture")), "language": "en"}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.Output)
	fmt.Println("uploads:", srv.Ledger().Uploads)

	// Output:
	// a fox in the snow
	// uploads: 1
}
