package router_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/router"
)

// Ten thousand routed tasks leave nothing behind.
func TestMemoryFlat(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	routeAll := func(n int) {
		for i := range n {
			if _, err := router.Route(tasks[i%len(tasks)].task); err != nil {
				t.Fatal(err)
			}
		}
	}
	routeAll(200)
	before := heap()
	routeAll(10_000)
	if after := heap(); after > before+1<<20 {
		t.Errorf("%d bytes before, %d after", before, after)
	}
}

// Local pictures are measured, and what is none is an error.
func TestLocalPictures(t *testing.T) {
	t.Parallel()
	if p, err := router.LocalPictures(fal.URL("https://x.example/a.png")); err != nil || p[0].Width != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := router.LocalPictures(fal.Bytes([]byte("text"))); err == nil {
		t.Error("text was taken for a picture")
	}
	if !slices.ContainsFunc(router.Models(), func(m router.Model) bool { return m.Endpoint == "fal-ai/flux-2-pro" }) {
		t.Error("FLUX.2 [pro] is no model")
	}
}
