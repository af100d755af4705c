package sum_test

import (
	"testing"

	"github.com/falimage/falimage-go/internal/mutate/testdata/sum"
)

// It cannot notice that 0 is added too, which changes nothing, and does not
// notice that 1 is left out, which it should.
func TestPositive(t *testing.T) {
	if got := sum.Positive([]int{2, -3, 4}); got != 6 {
		t.Errorf("%d, want 6", got)
	}
}
