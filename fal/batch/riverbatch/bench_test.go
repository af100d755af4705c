package riverbatch_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/flux"
)

// BenchmarkWorkers measures items per second, from the first job that River fetches to
// the last that it completed, with everything that is kept for each: lease, intent,
// request id, result, budget. Files are not saved. All run on one machine, the database
// and the local fal too.
func BenchmarkWorkers(b *testing.B) {
	for _, workers := range []int{1, 3} {
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			f := newFleet(b)
			items := make([]batch.Item[fal.Images], b.N)
			for i := range items {
				items[i] = batch.Item[fal.Images]{Key: strconv.Itoa(i), Request: flux.Schnell{Prompt: fmt.Sprint("mug ", i)}}
			}
			f.insert(items...)
			b.ResetTimer()
			for range workers {
				w := f.worker()
				w.Runner.Dir = ""
				f.start(w, 16)
			}
			f.until("completed", b.N)
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
