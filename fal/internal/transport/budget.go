package transport

import "sync/atomic"

// budget keeps a thousand goroutines from storming a server that is down: a
// repetition costs what ten answers earn.
type budget struct{ tokens atomic.Int64 }

const (
	budgetMax    = 1000 // 100 repetitions
	budgetRepeat = 10
)

func newBudget() *budget {
	b := new(budget)
	b.tokens.Store(budgetMax)
	return b
}

func (b *budget) take() bool {
	for {
		n := b.tokens.Load()
		if n < budgetRepeat {
			return false
		}
		if b.tokens.CompareAndSwap(n, n-budgetRepeat) {
			return true
		}
	}
}

func (b *budget) give() {
	if n := b.tokens.Load(); n < budgetMax {
		b.tokens.CompareAndSwap(n, n+1) // one lost in a race does not matter
	}
}
