package batch_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/falimage/falimage-go/fal/batch"
)

// An item that begins again goes first, and then keeps no other waiting for which
// there is room.
func TestGateAgain(t *testing.T) {
	t.Parallel()
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			g := batch.NewGate(3)
			for range 3 {
				g.Enter(t.Context(), false)
			}
			var entered atomic.Int32
			for _, again := range []bool{true, false} {
				go func() {
					if g.Enter(t.Context(), again) {
						entered.Add(1)
					}
				}()
			}
			synctest.Wait()
			g.Leave()
			g.Leave()
			synctest.Wait()
			if n := entered.Load(); n != 2 {
				t.Fatalf("%d of 2 entered", n)
			}
		})
	}
}
