package spend_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// What is wrong with a ledger is said, as far as anybody reads.
func TestDamageInWords(t *testing.T) {
	t.Parallel()
	problems := strings.Split("a b c d e f g", " ")
	for _, tt := range []struct {
		damage spend.DamageError
		want   string
	}{
		{spend.DamageError{Path: "l", Problems: problems[:5], Hidden: pricing.Cent}, "spend: ledger l is damaged: a, b, c, d, e; this hides at most $0.01 of what was spent; RecoverLedger opens it all the same"},
		{spend.DamageError{Path: "l", Problems: problems, Guessed: true}, "spend: ledger l is damaged: a, b, c, d, e and 2 more; this hides probably not more than $0.00 of what was spent; RecoverLedger opens it all the same"},
	} {
		if got := tt.damage.Error(); got != tt.want {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
	path := filepath.Join(t.TempDir(), "ledger")
	l := openLedger(t, path)
	if _, err := spend.OpenLedger(path); err == nil || err.Error() != spend.ErrInUse.Error()+": "+path {
		t.Errorf("got %v", err)
	}
	_ = l.Close()
}

// A refusal says of whose budget, for how long and why.
func TestBudgetErrorInWords(t *testing.T) {
	t.Parallel()
	const cent = pricing.Cent
	for _, tt := range []struct {
		refused spend.BudgetError
		want    string
	}{
		{spend.BudgetError{Endpoint: "a/b", Limit: 5 * cent, Left: 2 * cent, Asked: 3 * cent}, "spend: a/b: the request may cost $0.03, of the budget of $0.05 there is $0.02 left"},
		{spend.BudgetError{Endpoint: "a/b", Tag: tag("x"), Per: spend.RollingDay, Limit: 5 * cent, Left: -cent, Asked: 3 * cent, Expected: cent, Unknowns: []string{"y", "z"}}, `spend: a/b: the request may cost $0.03, of the budget of tenant "x" per 24 hours of $0.05 there is -$0.01 left; it is likely to cost $0.01, but it is not known: y; z`},
	} {
		if got := tt.refused.Error(); got != tt.want {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
}
