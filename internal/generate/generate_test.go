package main_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	main "github.com/falimage/falimage-go/internal/generate"
)

// TestUpToDate generates everything in memory and compares it with what is in
// the repository. Run go generate ./... if it fails.
func TestUpToDate(t *testing.T) {
	t.Parallel()
	files, err := main.Files()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join("..", "..")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(string(files[name]), string(got)); diff != "" {
			t.Errorf("%s is not what the generator makes (-generated +file):\n%s", name, diff)
		}
	}
	for _, pkg := range []string{"flux", "qwen"} {
		names, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, known := files[pkg+"/"+filepath.Base(name)]
			if strings.HasPrefix(string(text), "// Code generated") && !known {
				t.Errorf("%s is left over: the generator makes it no more", name)
			}
		}
	}
}
