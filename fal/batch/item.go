package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/falimage/falimage-go/fal"
)

// maxKey is how many bytes a key may have.
const maxKey = 1024

// Item is one request of a batch.
type Item[Out any] struct {
	// Key tells the item from others, such as the number of a product: at most
	// 1024 bytes. Items with the same key are the same item, and must have the same
	// request. "" is the digest of the request: what is asked for twice is
	// made once.
	Key     string
	Request fal.Request[Out]
	// Options are those of the request, beside the runner's. A guard among them is
	// asked in place of the client's. [Deliver] does not know them: what it delivers is
	// told to the guard of the runner's Options or of the client.
	Options []fal.Option
}

// Result is what came of an item.
type Result[Out any] struct {
	// Row is what the journal has of the item, with key, files, request id and
	// units. It is the zero Row but for its key if nothing was sent.
	Row
	// Out is the result; nil if there is none. It may be there beside an error
	// that is about the result.
	Out *Out
	// Kept says that it was in the journal already, and nothing had to be sent,
	// waited for or saved.
	Kept bool
}

// ConflictError says that two items have the same key and another request.
type ConflictError struct {
	Key string
	// Had is the endpoint of the request that the journal has, and Has that of
	// the one that was refused.
	Had, Has string
}

func (e *ConflictError) Error() string {
	if e.Had != e.Has {
		return fmt.Sprintf("batch: key %.80q: the journal has it for a request to %s, this one is to %s: give it another key, or use another journal", e.Key, e.Had, e.Has)
	}
	return fmt.Sprintf("batch: key %.80q: the journal has it with another request to %s: give it another key, or use another journal", e.Key, e.Had)
}

// NotSent returns true.
func (e *ConflictError) NotSent() bool { return true }

// refused is an error that came before anything was sent.
type refused struct{ error }

func (e refused) Unwrap() error { return e.error }

// NotSent returns true.
func (refused) NotSent() bool { return true }

// unkept is an error of what has yet to be kept of a result, though that is in the row:
// the row itself, or a file. Doing the item again makes up for it.
type unkept struct{ error }

func (e unkept) Unwrap() error { return e.error }

// Unkept returns true.
func (unkept) Unkept() bool { return true }

// Key returns the key that an item without one has: a digest of its request, the same
// in every program. Local files count by their content, wherever they are.
func Key[Out any](r fal.Request[Out]) (string, error) {
	it := Item[Out]{Request: r}
	key, _, err := it.identify()
	return key, err
}

// digestOf returns the digest of a request.
func digestOf[Out any](r fal.Request[Out]) (string, error) {
	if r == nil {
		return "", errors.New("the request is nil")
	}
	named, err := fal.MapFiles(r, byContent)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(named)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s", r.Endpoint(), body))
	return hex.EncodeToString(sum[:]), err
}

// identify returns the key and the digest of an item.
func (it *Item[Out]) identify() (key, digest string, err error) {
	if digest, err = digestOf(it.Request); err != nil {
		return it.Key, "", refused{fmt.Errorf("batch: key %.80q: %w", it.Key, err)}
	}
	if key = it.Key; key == "" {
		key = digest[:32]
	}
	if len(key) > maxKey {
		return key, "", refused{fmt.Errorf("batch: key %.80q: has %d bytes, at most %d are accepted", key, len(key), maxKey)}
	}
	return key, digest, nil
}

// byContent names a local file by its content.
func byContent(field string, f fal.File) (fal.File, error) {
	if _, remote := f.URL(); remote {
		return f, nil
	}
	sum, err := f.SHA256()
	if err != nil {
		return f, fmt.Errorf("%s: %w", field, err)
	}
	return fal.URL("sha256:" + sum), nil
}
