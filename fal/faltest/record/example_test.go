package record_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/faltest/record"
	"github.com/falimage/falimage-go/flux"
)

// A run is recorded once, and played without the server that it was recorded
// from.
func Example() {
	ctx := context.Background()
	req := flux.Dev{Prompt: "a fox in the snow", Seed: fal.Seed(42)}

	srv := faltest.New() // or fal itself, with a key
	recorder := &record.Recorder{}
	client := srv.Client()
	client.HTTPClient = &http.Client{Transport: recorder}
	first, err := fal.Subscribe(ctx, client, req)
	srv.Close()
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer // or Tape.WriteFile
	if err := recorder.Tape().Write(&file); err != nil {
		fmt.Println(err)
		return
	}

	tape, err := record.Read(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	player := tape.Play() // in a test: tape.Client(t)
	defer player.Close()
	again, err := fal.Subscribe(ctx, player.Client(), req)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the same job:", first.RequestID == again.RequestID)
	fmt.Println("what was not recorded:", len(player.Missing()))

	// Output:
	// the same job: true
	// what was not recorded: 0
}
