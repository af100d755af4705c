package fal

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// parallelUploads is how many files of one request are sent at a time.
	parallelUploads = 4
	// uploadKept is how long an uploaded file is used again: well below the
	// seven days for which fal keeps files at the least.
	uploadKept = 24 * time.Hour
)

// Upload uploads a file and returns it as one with a URL. A file that is a URL
// already is returned as it is. The same content is uploaded once per client
// and lifecycle. Files in requests are uploaded by themselves; Upload is for
// doing it earlier.
//
// The content is read once, while it is sent. What is larger than 90 MiB, or of
// unknown size and larger than 10 MiB, goes in parts of 10 MiB, up to ten at
// once, each repeated by itself if it fails. They are held in memory only if
// the file cannot be read at any place, as those of [Path] and [Bytes] can. A
// file is 97 GiB at most. One that changes while it is sent is an error. If
// fal's storage refuses one way of sending, another is tried.
func (c *Client) Upload(ctx context.Context, f File, opts ...UploadOption) (File, error) {
	if err := c.ready(ctx); err != nil {
		return File{}, notSent(err)
	}
	o := applyOptions(opts)
	content, problem := summary{}, f.Check()
	if problem == nil && f.local != nil {
		content, problem = f.summarize(ctx)
	}
	if err := ctx.Err(); err != nil {
		return File{}, notSentTo("upload", err)
	}
	if problem != nil {
		o.problems = append(o.problems, Problem{Field: "file", Value: f.String(), Message: problem.Error(), Err: problem})
	}
	if len(o.problems) > 0 {
		return File{}, &ValidationError{Endpoint: "upload", Problems: o.problems, sending: true}
	}
	if f.local == nil {
		return f, nil
	}
	remote, err := c.upload(ctx, f, content, o)
	if width, height, unknown := f.Dimensions(); err == nil && unknown == nil {
		remote = remote.Sized(width, height)
	}
	return remote, err
}

// uploadAll uploads the files of one request, a few at a time.
func (c *Client) uploadAll(ctx context.Context, files map[File]summary, o *options) (map[File]File, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	remote := make(map[File]File, len(files))
	slots := make(chan struct{}, parallelUploads)
	var (
		wait     sync.WaitGroup
		mu       sync.Mutex
		firstErr error
	)
	for f, content := range files {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			u, err := c.upload(ctx, f, content, o)
			mu.Lock()
			defer mu.Unlock()
			remote[f] = u
			if err != nil && firstErr == nil {
				firstErr = err
				cancel()
			}
		})
	}
	wait.Wait()
	return remote, firstErr
}

// upload uploads a file, unless the same content was uploaded or is being so.
func (c *Client) upload(ctx context.Context, f File, content summary, o *options) (File, error) {
	key := uploadKey{head: content.head, whole: content.whole, name: content.name, lifecycle: o.header.Get("X-Fal-Object-Lifecycle-Preference")}
	kept := uploadKept
	if o.lifecycle != nil && o.lifecycle.ExpiresAfter > 0 {
		kept = min(kept, o.lifecycle.ExpiresAfter/2)
	}
	p := newProgress(f.local.progress, content.size)
	defer p.end()
	sent, err := c.uploads.once(ctx, key, kept, func() (contentHash, error) { return f.hash(ctx, content) }, func() (sent done, err error) {
		err = c.traced(ctx, func(ctx context.Context) (err error) {
			sent, err = c.send(ctx, f, content, key.lifecycle, p)
			return err
		})
		return sent, err
	})
	if err != nil {
		return File{}, fmt.Errorf("upload %v: %w", f, err)
	}
	if err := p.all(sent.size); err != nil {
		return File{}, fmt.Errorf("upload %v: %w", f, err)
	}
	return File{url: sent.url, bytes: sent.size}, nil
}
