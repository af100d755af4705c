package router_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/router"
)

// BenchmarkRoute routes a task over all models.
func BenchmarkRoute(b *testing.B) {
	for name, task := range map[string]router.Task{
		"text":     {Prompt: "a sign reading 'OPEN' on a door, photo"},
		"terrace":  {Prompt: terracePrompt},
		"edit":     {Prompt: "make it night", Pictures: pictures(2)},
		"sticker":  {Prompt: "sticker of a cat", Not: []string{"Qwen Image 2.1"}}, // in two steps
		"language": {Prompt: "一家茶馆的招牌,上面写着“清风茶馆”"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := router.Route(task); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAllocations bounds what routing allocates: of what the many models do not need
// for the task, nothing may be made. The bounds have room for a race detector.
func TestAllocations(t *testing.T) {
	for _, tt := range []struct {
		name string
		task router.Task
		most float64
	}{
		{"text", router.Task{Prompt: "a sign reading 'OPEN' on a door, photo"}, 150},
		{"terrace", router.Task{Prompt: terracePrompt}, 200},
		{"edit", router.Task{Prompt: "make it night", Pictures: pictures(2)}, 260},
		{"sticker in two steps", router.Task{Prompt: "sticker of a cat", Not: []string{"Qwen Image 2.1"}}, 320},
	} {
		if got := testing.AllocsPerRun(10, func() {
			if _, err := router.Route(tt.task); err != nil {
				t.Fatal(err)
			}
		}); got > tt.most {
			t.Errorf("%s: %.0f allocations, want at most %.0f", tt.name, got, tt.most)
		}
	}
}

// BenchmarkLongPrompt routes prompts of which each part is to be looked at: time
// must grow with their length alone.
func BenchmarkLongPrompt(b *testing.B) {
	for _, part := range []string{"a 'b ", "'OPEN' sign NEON ", "no text or ", "in Japanese style ", "two cats, each "} {
		for _, size := range []int{3_000, 30_000, 300_000} {
			task := router.Task{Prompt: strings.Repeat(part, size/len(part))}
			b.Run(fmt.Sprintf("%s/%d", strings.TrimSpace(part), size), func(b *testing.B) {
				for b.Loop() {
					_, _ = router.Route(task)
				}
			})
		}
	}
}
