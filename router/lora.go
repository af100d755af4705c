package router

import (
	"slices"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

// weights names those that a model has by its title: LoRAs fit all models with
// the same, and what was trained on a base its distilled form too.
func weights(title string) string {
	title, _, _ = strings.Cut(title, " with ")
	return strings.TrimSuffix(title, " Base")
}

// loraBases are the weights that a name stands for, by all names that people
// have for them in small letters: of the base model, its trainer, the endpoint
// for LoRAs, a family, a package, an id.
var loraBases = sync.OnceValue(func() map[string][]string {
	out := make(map[string][]string)
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		for _, name := range append([]string{m.Endpoint, m.Package + "." + m.Name, m.Title, m.Family, m.Package, weights(m.Title)}, m.Aliases...) {
			name = strings.ToLower(name)
			if w := weights(m.Title); !slices.Contains(out[name], w) {
				out[name] = append(out[name], w)
			}
		}
	}
	return out
})

// fits reports whether a LoRA may be one for the model.
func (l *LoRA) fits(m *model) bool {
	return l.Base == "" || m.own != nil && m.is(l.Base) || slices.Contains(loraBases()[strings.ToLower(l.Base)], weights(m.Title))
}
