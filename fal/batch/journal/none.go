//go:build js

package journal

import (
	"errors"

	"github.com/falimage/falimage-go/fal/batch"
)

// ErrInUse says that a journal is open already.
var ErrInUse = errors.New("journal: it is in use by another program, or opened twice")

// Journal is a journal in a file, which this system does not have.
type Journal struct{ batch.Journal }

// Open returns an error: there are no files to map here.
func Open(path string) (*Journal, error) { return OpenFor(path, "") }

// OpenFor returns an error, as Open does.
func OpenFor(path, _ string) (*Journal, error) {
	return nil, errors.New("journal: " + path + ": this system has no files for it: use batch.Memory")
}
