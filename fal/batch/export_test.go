package batch

import (
	"context"

	"github.com/falimage/falimage-go/fal"
)

// Count counts an item that ended in a state; see count.
func (r *Runner) Count(state State) int { return r.count(&Row{State: state}, false, nil) }

// NewGate returns the gate of a runner for so many items at once.
func NewGate(most int) *gate { return newGate(most, 0, fal.Retry{}, nil) }

// Enter waits for room; see enter.
func (g *gate) Enter(ctx context.Context, again bool) bool { return g.enter(ctx, nil, again) }

// Leave makes room; see leave.
func (g *gate) Leave() { g.leave() }
