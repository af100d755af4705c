package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
)

// Rows have the name that they are given, or that of the endpoint, and so have the
// errors about them.
func TestNamesOfRows(t *testing.T) {
	t.Parallel()
	pair := quoted(t, pricing.Price{Rule: pricing.PerImage{Price: pricing.Cent}}, 2)
	got, err := plan.New(5, plan.Part{Quote: pair, Share: 4}, plan.Part{Name: "mine", Quote: pair})
	want := plan.Plan{
		Rows: []plan.Row{
			{Name: "our/model", Images: 4, Requests: 2, Amounts: exactly(4 * pricing.Cent)},
			{Name: "mine", Images: 1, Requests: 1, Amounts: exactly(2 * pricing.Cent)}, // the last request is charged as the others
		},
		Images: 5, Amounts: exactly(6 * pricing.Cent),
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	none, err := plan.New(0, plan.Part{Quote: pair})
	if diff := cmp.Diff(plan.Plan{Rows: []plan.Row{{Name: "our/model"}}}, none); err != nil || diff != "" {
		t.Errorf("no images: %v (-want +got)\n%s", err, diff)
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a share":           {second(plan.New(1, plan.Part{Name: "mine", Quote: pair, Share: -1})), "mine: a share of -1: must be 0 to 1000000000"},
		"a share, no name":  {second(plan.New(1, plan.Part{Quote: pair, Share: -1})), "our/model: a share of -1"},
		"no quote":          {second(plan.New(1, plan.Part{Name: "mine"})), "mine"},
		"no quote to rank":  {second(plan.Rank(1, plan.Part{Quote: pair}, plan.Part{Name: "mine"})), "mine"},
		"a rank of less":    {second(plan.Rank(-1, plan.Part{Name: "mine", Quote: pair})), "mine: -1 images: must not be negative"},
		"finals of less":    {second(plan.MostFinals(-1, pricing.Dollar, plan.Part{Name: "mine", Quote: pair}, plan.Part{Quote: pair})), "mine: -1 images"},
		"finals of nothing": {second(plan.MostFinals(1, pricing.Dollar, plan.Part{Quote: pair}, plan.Part{Name: "mine"})), "mine"},
		"a budget of less":  {second(plan.MostFinals(1, -pricing.Dollar, plan.Part{Quote: pair}, plan.Part{Quote: pair})), "a budget of -$1.00: must not be negative"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) || strings.Contains(tt.want, "quote") && !errors.Is(tt.err, pricing.ErrUnknown) {
			t.Errorf("%s: %v, want %q", name, tt.err, tt.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Of what is expected to cost the same, that comes first which costs less at most, and
// else what was named first.
func TestRankOfEquals(t *testing.T) {
	t.Parallel()
	alternate := func(most pricing.USD) pricing.Quote {
		return quoted(t, pricing.Price{Rule: pricing.PerImage{Price: pricing.Cent}, Alternates: []pricing.Alternate{{Price: most, Where: "x"}}}, 1)
	}
	rows, err := plan.Rank(3, plan.Part{Name: "most", Quote: alternate(4 * pricing.Cent)}, plan.Part{Name: "first", Quote: alternate(2 * pricing.Cent)}, plan.Part{Name: "second", Quote: alternate(2 * pricing.Cent)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff([]string{"first", "second", "most"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
