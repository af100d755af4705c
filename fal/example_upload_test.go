package fal_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
)

// A file is uploaded before it is needed, with a look at how far it is. The same
// content is not sent a second time.
func ExampleClient_Upload() {
	srv := faltest.New() // a local fal; with a key, client is &fal.Client{}
	defer srv.Close()
	client, ctx := srv.Client(), context.Background()

	archive := bytes.Repeat([]byte("training "), 1<<20) // or fal.Path("training.zip")
	percent := int64(0)
	file := fal.Bytes(archive).Progress(func(sent, total int64) { percent = 100 * sent / total })
	remote, err := client.Upload(ctx, file)
	if err != nil {
		fmt.Println(err)
		return
	}
	size, _ := remote.Size()
	fmt.Println(percent, "% of", size, "bytes")

	again, err := client.Upload(ctx, fal.Bytes(archive))
	fmt.Println("the same address:", again == remote, err)
	fmt.Println("uploads:", srv.Ledger().Uploads)

	// Output:
	// 100 % of 9437184 bytes
	// the same address: true <nil>
	// uploads: 1
}
