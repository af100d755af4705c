package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/falimage/falimage-go/internal/catalog"
)

// counted are the sentences of the README that count the catalogue.
var counted = regexp.MustCompile(`All \d+ FLUX and Qwen Image ids are reached by \d+ documented, locally checked\ntypes: \d+ endpoints, of which those that differ only by a preset share a type,\nand \d+ second names`)

// readme returns the README with the numbers of today's catalogue.
func readme() ([]byte, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	if !counted.Match(text) {
		return nil, fmt.Errorf("the README does not say %q", counted)
	}
	types := map[string]bool{}
	for _, e := range catalog.All() {
		types[e.Package+"."+e.Name] = true
	}
	ids, endpoints := len(catalog.IDs()), len(catalog.All())
	return counted.ReplaceAll(text, fmt.Appendf(nil,
		"All %d FLUX and Qwen Image ids are reached by %d documented, locally checked\ntypes: %d endpoints, of which those that differ only by a preset share a type,\nand %d second names",
		ids, len(types), endpoints, ids-endpoints)), nil
}
