package batch_test

import (
	"testing"

	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journaltest"
)

func TestMemory(t *testing.T) {
	journaltest.Suite{Open: func(string) (batch.Journal, error) { return batch.Memory(), nil }}.Run(t)
}
