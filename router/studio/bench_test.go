package studio_test

import (
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// BenchmarkCompare compares one and four models that take 100 ms each.
func BenchmarkCompare(b *testing.B) {
	_, client := local(b, faltest.RunTime(100*time.Millisecond))
	names := []string{"flux.Schnell", "flux.Pro2", "qwen.Image", "qwen.Image2Pro"}
	for name, n := range map[string]int{"1": 1, "4": 4} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := studio.Compare(b.Context(), client, router.Task{Prompt: "a mug"}, names[:n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
