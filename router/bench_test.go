package router_test

import (
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router"
)

// BenchmarkRoute routes a task over all models.
func BenchmarkRoute(b *testing.B) {
	for name, task := range map[string]router.Task{
		"text":     {Prompt: "a sign reading 'OPEN' on a door, photo"},
		"terrace":  {Prompt: terracePrompt},
		"edit":     {Prompt: "make it night", Pictures: pictures(2)},
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

// BenchmarkCompare compares one and four models that take 100 ms each.
func BenchmarkCompare(b *testing.B) {
	_, client := local(b, faltest.RunTime(100*time.Millisecond))
	names := []string{"flux.Schnell", "flux.Pro2", "qwen.Image", "qwen.Image2Pro"}
	for name, n := range map[string]int{"1": 1, "4": 4} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := router.Compare(b.Context(), client, router.Task{Prompt: "a mug"}, names[:n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
