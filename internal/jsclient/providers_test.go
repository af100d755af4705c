package jsclient_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
)

// TestProviders runs the fal providers of two kits for JavaScript, unmodified,
// against the local fal: pictures of five models each. What they were billed is
// held against the server's books, and so is what they sent that the endpoint
// does not have.
func TestProviders(t *testing.T) {
	t.Parallel()
	node := nodeWith(t, "@ai-sdk/fal", "@tanstack/ai-fal")
	for _, tt := range []struct {
		name, script string
		bills        []string
		doubts       []string
	}{
		{
			name: "Vercel AI SDK", script: "vercel.mjs",
			bills: []string{
				"fal-ai/flux/schnell 1", "fal-ai/flux/schnell 1", "fal-ai/flux-2-pro 1", "fal-ai/qwen-image-2512 1",
				"fal-ai/flux-2-pro/edit 2", "fal-ai/qwen-image-edit 1", "fal-ai/flux/schnell 0",
			},
			doubts: []string{ // it names the number of pictures always
				"fal-ai/flux-2-pro: the endpoint has no field num_images: fal passes it over",
				"fal-ai/flux-2-pro/edit: the endpoint has no field num_images: fal passes it over",
			},
		},
		{
			name: "TanStack AI", script: "tanstack.mjs",
			bills: []string{
				"fal-ai/flux/schnell 2", "fal-ai/flux-pro/v1.1-ultra 1", "fal-ai/qwen-image 1",
				"fal-ai/flux-2-pro/edit 2", "fal-ai/qwen-image-edit 1", "fal-ai/flux/schnell 0", "fal-ai/flux/schnell 1",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t, faltest.Strict(false))
			proof := exec.CommandContext(t.Context(), node, tt.script, srv.URL(), faltest.Key)
			proof.WaitDelay = 10 * time.Second
			out, err := proof.CombinedOutput()
			t.Logf("%s", out)
			if err != nil || !strings.Contains(string(out), "\n8 passed\n") {
				t.Errorf("the proof failed or did not run to its end: %v", err)
			}
			var bills []string
			for _, b := range srv.Ledger().Bills {
				bills = append(bills, b.Endpoint+" "+b.Units)
			}
			if diff := cmp.Diff(tt.bills, bills); diff != "" {
				t.Errorf("bills, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.doubts, srv.Doubts()); diff != "" {
				t.Errorf("doubts, -want +got:\n%s", diff)
			}
		})
	}
}
