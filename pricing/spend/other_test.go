package spend_test

import (
	"errors"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// What is set aside under an id for one job is not that of another job: nothing that
// is told of the other settles it, takes its request id or sets it free.
func TestResumeOfAnotherJob(t *testing.T) {
	t.Parallel()
	usage := fal.Usage{Endpoint: "fal-ai/flux/schnell", Outputs: 1, Size: fal.Size(1024, 1024)}
	for name, tell := range map[string]func(fal.Reservation){
		"billed": func(r fal.Reservation) {
			r.Settled(fal.Meta{Endpoint: usage.Endpoint, RequestID: "two", BillableUnits: "1"})
		},
		"billed unknown": func(r fal.Reservation) { r.Settled(fal.Meta{Endpoint: usage.Endpoint, RequestID: "two"}) },
		"not charged":    func(r fal.Reservation) { r.Released(errors.New("no")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ledger := new(spend.Ledger)
			budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}, Ledger: ledger}
			first, err := budget.ReserveAs(t.Context(), "mine", usage, nil)
			if err != nil {
				t.Fatal(err)
			}
			first.Accepted("one")
			tell(budget.Resume("mine", "two"))
			open := ledger.Open()
			if len(open) != 1 || open[0].RequestID != "one" {
				t.Errorf("open: %+v", open)
			}
			// Nor does who knows of no job.
			budget.Resume("mine", "").Released(errors.New("it was not accepted"))
			if open := ledger.Open(); len(open) != 1 {
				t.Errorf("open: %+v", open)
			}
			budget.Resume("mine", "one").Released(errors.New("no"))
			if open := ledger.Open(); len(open) != 0 {
				t.Errorf("open: %+v", open)
			}
		})
	}
}
