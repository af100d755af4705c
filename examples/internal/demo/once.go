package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// note is what is on file about a request from before it is sent until its
// pictures are saved.
type note struct {
	Endpoint  string    `json:"endpoint"`
	RequestID string    `json:"request_id,omitzero"` // "" until it is known
	Time      time.Time `json:"time"`
}

// ErrUnknown is in the error of [Once] for a request of an earlier run of which
// nobody knows whether fal accepted it.
var ErrUnknown = errors.New("it is unknown whether fal accepted this request in an earlier run; look for it at https://fal.ai/dashboard/requests")

// Once makes a request that is paid once, however often the program is stopped
// and run again. Path is a file that tells of it: it is written before the
// request is sent, and a request that it tells of is taken up by its id instead
// of being sent. Remove it with [Forget] when what came is saved. Without a path
// the request is made and nothing is kept.
//
// When the context ends the job is not cancelled but left for the next run.
func Once[Out any](ctx context.Context, client *fal.Client, path string, req fal.Request[Out], opts ...fal.Option) (*Out, error) {
	if path == "" {
		return fal.Subscribe(ctx, client, req, opts...)
	}
	n, err := readNote(path)
	if err != nil {
		return nil, err
	}
	if n != nil {
		return TakeUp[Out](ctx, client, path)
	}
	n = &note{Endpoint: string(req.Endpoint()), Time: time.Now()}
	if err := n.write(path); err != nil {
		return nil, err
	}
	job, err := fal.Submit(ctx, client, req, opts...)
	switch {
	case err == nil:
		n.RequestID = job.ID()
	case fal.RequestID(err) != "" && fal.Charged(err) == fal.BillingUnknown:
		n.RequestID = fal.RequestID(err) // accepted, and then the context ended
	default:
		return nil, errors.Join(err, forgetIf(settles(err), path))
	}
	if failure := n.write(path); failure != nil || err != nil {
		return nil, errors.Join(err, failure)
	}
	return end(path, job, ctx)
}

// TakeUp waits for the job that a file of [Once] tells of.
func TakeUp[Out any](ctx context.Context, client *fal.Client, path string) (*Out, error) {
	n, err := readNote(path)
	if err == nil && n == nil {
		err = fmt.Errorf("%s tells of no request", path)
	}
	if err != nil {
		return nil, err
	}
	if n.RequestID == "" {
		return nil, fmt.Errorf("%s, sent at %s: %w. To make it once more, remove %s", n.Endpoint, n.Time.Format(time.DateTime), ErrUnknown, path)
	}
	return end(path, fal.Resume(client, fal.Endpoint[Out](n.Endpoint), n.RequestID), ctx)
}

// end waits for a job, and forgets it if it failed.
func end[Out any](path string, job *fal.Job[Out], ctx context.Context) (*Out, error) { //nolint:revive // the job is what it is about
	out, err := job.Wait(ctx)
	if errors.Is(err, fal.ErrNotFound) {
		err = fmt.Errorf("fal has the result no more, and it has to be made anew: %w", err)
	}
	return out, errors.Join(err, forgetIf(settles(err), path))
}

// settles reports whether an error tells the end of a request: nothing is there to be
// taken up.
func settles(err error) bool {
	if fal.NotSent(err) || fal.Charged(err) == fal.NotBilled {
		return err != nil
	}
	_, unknown := errors.AsType[*fal.OutcomeUnknownError](err)
	_, unfinished := errors.AsType[*fal.JobError](err)
	_, reported := errors.AsType[*fal.Error](err)
	return reported && !unknown && !unfinished
}

func readNote(path string) (*note, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	n := new(note)
	if err == nil {
		if err = json.Unmarshal(b, n); err == nil && n.Endpoint == "" {
			err = errors.New("no endpoint")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s, which tells of a request of an earlier run, cannot be read: %w", path, err)
	}
	return n, nil
}

// write writes the note as a whole or not at all, and to the disk.
func (n *note) write(path string) error {
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".note-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Forget removes what is on file about a request whose pictures are saved.
func Forget(path string) error {
	if err := os.Remove(path); path != "" && err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func forgetIf(yes bool, path string) error {
	if !yes {
		return nil
	}
	return Forget(path)
}

// saveTime is how long saving may take when the program is told to stop.
const saveTime = time.Minute

// Unstopped returns a context in which to save what is paid: it outlives one that
// ends because the program is told to stop, by a limited time.
func Unstopped(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), saveTime)
}
