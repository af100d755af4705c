package router_test

import (
	"testing"

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
