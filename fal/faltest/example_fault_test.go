package faltest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// The answer to a submit is lost: the job was accepted, and nobody was told.
// In a test, the server is faltest.NewServer(t).
func ExampleServer_Inject() {
	srv := faltest.New()
	defer srv.Close()
	srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)

	_, err := fal.Subscribe(context.Background(), srv.Client(), flux.Schnell{Prompt: "a fox in the snow"})
	_, unknown := errors.AsType[*fal.OutcomeUnknownError](err)
	fmt.Println("the outcome is unknown:", unknown)
	fmt.Println("sent:", srv.Ledger().Posts, "accepted:", srv.Ledger().Submissions)

	// Output:
	// the outcome is unknown: true
	// sent: 1 accepted: 1
}
