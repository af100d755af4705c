package spend_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// What a process reserved under an id is taken over by the next one, booked once,
// and never shared by two requests.
func TestReserveAs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	usage := fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 1, Size: fal.Size(1024, 1024)}
	open := func() (*spend.Budget, func()) {
		ledger, err := spend.OpenLedger(path)
		if err != nil {
			t.Fatal(err)
		}
		return &spend.Budget{Ledger: ledger}, func() {
			if err := ledger.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	reserve := func(b *spend.Budget, id string) fal.Reservation {
		t.Helper()
		r, err := b.ReserveAs(t.Context(), id, usage, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	check := func(b *spend.Budget, spent, reserved pricing.USD) {
		t.Helper()
		if b.Spent() != spent || b.Reserved() != reserved {
			t.Errorf("spent %v, reserved %v; want %v and %v", b.Spent(), b.Reserved(), spent, reserved)
		}
	}
	const price = 3 * pricing.Cent
	meta := func(id string) fal.Meta {
		return fal.Meta{Endpoint: usage.Endpoint, RequestID: id, BillableUnits: "1"}
	}

	b, end := open()
	reserve(b, "a")
	reserve(b, "a") // of another batch with the same key
	reserve(b, "b")
	reserve(b, "c").Accepted("job-c")
	check(b, 0, 4*price)
	end()

	b, end = open()
	reserve(b, "a").Settled(meta("job-a")) // taken over
	check(b, price, 3*price)
	b.Resume("b", "job-b").Settled(meta("job-b")) // its id was not noted
	check(b, 2*price, 2*price)
	b.Resume("b", "job-b").Settled(meta("job-b")) // noted already
	check(b, 2*price, 2*price)
	reserve(b, "c").Released(errors.New("refused")) // another job than that under way
	check(b, 2*price, 2*price)
	b.Resume("c", "job-c").Settled(fal.Meta{Endpoint: usage.Endpoint, RequestID: "job-c"}) // fal told no units
	check(b, 3*price, price)
	b.Resume("none", "job-d").Settled(meta("job-d"))
	check(b, 4*price, price)
	b.Resume("none", "").Released(nil)
	end()
}
