package batch_test

import (
	"testing"

	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
)

// How long it takes is told once as many have ended as are under way at once, and
// five more.
func TestPaceIsTold(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	run := &batch.Runner{Client: quick(srv), Concurrency: 1}
	for r, err := range batch.Run(t.Context(), run, mugs(12)) {
		if err != nil {
			t.Fatal(r.Key, err)
		}
		p := run.Progress()
		left, told := p.Left(100)
		if told != (p.Done >= 6) || told != (p.PerMinute() > 0) || told && left <= 0 || !told && left != 0 {
			t.Errorf("after %d: %v left, %t, %d per minute", p.Done, left, told, p.PerMinute())
		}
		if left, told := p.Left(p.Done); told && left != 0 {
			t.Errorf("when all have ended %v are left", left)
		}
	}
}
