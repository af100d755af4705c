package batch_test

import (
	"testing"

	"github.com/falimage/falimage-go/fal/batch"
)

// How many items have failed is told of one that has, so that it is not the error of
// another one that ends a batch.
func TestCount(t *testing.T) {
	t.Parallel()
	run := new(batch.Runner)
	for i, tt := range []struct {
		state batch.State
		want  int
	}{{batch.Done, 0}, {batch.Failed, 1}, {batch.Done, 0}, {batch.Unknown, 2}, {batch.Intent, 3}, {batch.Submitted, 4}, {"", 5}, {batch.Done, 0}} {
		if got := run.Count(tt.state); got != tt.want {
			t.Errorf("item %d is %q: %d have failed, want %d", i, tt.state, got, tt.want)
		}
	}
	if p := run.Progress(); p.Done != 3 || p.Failed != 2 || p.Unknown != 2 || p.Running != 1 {
		t.Errorf("%+v", p)
	}
}
