package fal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

const (
	// maxUpload is what one PUT takes.
	maxUpload = 100 << 20
	// parallelUploads is how many files of one request are sent at a time.
	parallelUploads = 4
	// uploadKept is how long an uploaded file is used again: well below the
	// seven days for which fal keeps files at the least.
	uploadKept = 24 * time.Hour
	// uploadsKept is how many uploaded files a client remembers.
	uploadsKept = 4096
)

// Upload uploads a file and returns it as one with a URL. A file that is a URL
// already is returned as it is. The same content is uploaded once per client
// and lifecycle. Files in requests are uploaded by themselves; Upload is for
// doing it earlier.
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

// uploads remembers what was uploaded, so that each content is sent once.
type uploads struct {
	mu   sync.Mutex
	sent map[uploadKey]*upload
}

type uploadKey struct {
	content   [sha256.Size]byte
	name      string // the model may read it, as the extension
	lifecycle string
}

// upload is an upload under way, or done once ready is closed.
type upload struct {
	ready   chan struct{}
	url     string
	err     error
	expires time.Time
}

// claim returns the upload with the key, and whether it is the caller's task
// to do it.
func (u *uploads) claim(key uploadKey, kept time.Duration) (entry *upload, mine bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if entry, ok := u.sent[key]; ok && now.Before(entry.expires) {
		return entry, false
	}
	if u.sent == nil {
		u.sent = make(map[uploadKey]*upload)
	}
	if len(u.sent) >= uploadsKept {
		clear(u.sent) // rare, and costs no more than some uploads
	}
	entry = &upload{ready: make(chan struct{}), expires: now.Add(kept)}
	u.sent[key] = entry
	return entry, true
}

// forgetURLs drops uploads that fal could not fetch.
func (u *uploads) forgetURLs(urls []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.sent, func(_ uploadKey, entry *upload) bool {
		select {
		case <-entry.ready:
			return slices.Contains(urls, entry.url)
		default:
			return false // still under way
		}
	})
}

// forget drops an upload that failed.
func (u *uploads) forget(key uploadKey, entry *upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sent[key] == entry {
		delete(u.sent, key)
	}
}

func (c *Client) upload(ctx context.Context, f File, content summary, o *options) (File, error) {
	key := uploadKey{content: content.hash, name: content.name, lifecycle: o.header.Get("X-Fal-Object-Lifecycle-Preference")}
	kept := uploadKept
	if o.lifecycle != nil && o.lifecycle.ExpiresAfter > 0 {
		kept = min(kept, o.lifecycle.ExpiresAfter/2)
	}
	for {
		entry, mine := c.uploads.claim(key, kept)
		if mine {
			entry.err = c.traced(ctx, func(ctx context.Context) (err error) {
				entry.url, err = c.put(ctx, f, content, key.lifecycle)
				return err
			})
			if entry.err != nil {
				c.uploads.forget(key, entry)
			}
			close(entry.ready)
		}
		select {
		case <-entry.ready:
		case <-ctx.Done():
			return File{}, fmt.Errorf("upload %v: %w", f, ctx.Err())
		}
		if entry.err != nil && !mine && ctx.Err() == nil {
			continue // somebody else's attempt failed, perhaps by his context
		}
		if entry.err != nil {
			return File{}, fmt.Errorf("upload %v: %w", f, entry.err)
		}
		return File{url: entry.url, bytes: content.size}, nil
	}
}

// summary is what must be known of a file before it is uploaded.
type summary struct {
	hash        [sha256.Size]byte
	size        int64
	contentType string
	name        string
}

// summarize reads the file once. A reader that hangs is left behind when the
// context ends.
func (f File) summarize(ctx context.Context) (summary, error) {
	type answer struct {
		s   summary
		err error
	}
	done := make(chan answer, 1)
	go func() {
		s, err := f.read(ctx)
		done <- answer{s, err}
	}()
	select {
	case a := <-done:
		return a.s, a.err
	case <-ctx.Done():
		return summary{}, ctx.Err()
	}
}

func (f File) read(ctx context.Context) (summary, error) {
	r, err := f.Open()
	if err != nil {
		return summary{}, err
	}
	defer r.Close()
	var head [sniffed]byte
	n, err := io.ReadFull(r, head[:])
	switch {
	case errors.Is(err, io.EOF):
		return summary{}, errEmpty
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return summary{}, err
	}
	h := sha256.New()
	h.Write(head[:n])
	rest, err := io.Copy(h, io.LimitReader(&contextReader{ctx, r}, maxUpload+1))
	if err != nil {
		return summary{}, err
	}
	s := summary{size: int64(n) + rest, name: f.local.name}
	if s.size > maxUpload {
		return summary{}, fmt.Errorf("the file is larger than the %d bytes that are uploaded in one piece; upload it elsewhere and pass its URL", maxUpload)
	}
	h.Sum(s.hash[:0])
	s.contentType = contentType(s.name, head[:n])
	if s.name == "" {
		s.name = hex.EncodeToString(s.hash[:8]) + extension(s.contentType)
	}
	return s, nil
}

// errEmpty says that there is nothing in a file.
var errEmpty = errors.New("the file is empty")

// contextReader stops reading when the context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// put uploads in two steps: fal names an address, and the content goes there
// without any credentials.
func (c *Client) put(ctx context.Context, f File, s summary, lifecycle string) (fileURL string, err error) {
	defer recovered("sending it", &err) // this may be a goroutine of ours
	ask, err := json.Marshal(map[string]string{"content_type": s.contentType, "file_name": s.name})
	if err != nil {
		return "", err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if lifecycle != "" {
		header.Set("X-Fal-Object-Lifecycle-Preference", lifecycle)
		header.Set("X-Fal-Object-Lifecycle", lifecycle) // an older name of the same
	}
	var address struct {
		UploadURL string `json:"upload_url"`
		FileURL   string `json:"file_url"`
	}
	err = c.repeat(ctx, func() (said bool, err error) {
		resp, err := c.transport.Send(ctx, &transport.Request{
			Class: transport.Upload, Method: http.MethodPost,
			URL:    c.hosts.REST + "/storage/upload/initiate?storage_type=fal-cdn-v3",
			Header: header, Body: ask, Auth: true, Timeout: readTimeout, Endpoint: "storage",
		})
		if err != nil {
			return true, err
		}
		body, err := readHead(resp)
		if resp.StatusCode >= 300 {
			e := c.newError("storage", "", resp, body)
			return e.ofForm, e
		}
		if err == nil && (json.Unmarshal(body, &address) != nil || address.UploadURL == "" || address.FileURL == "") {
			err = errors.New("fal named no address to upload to: " + quoteShort(plainText(body, c.clean)))
		}
		return false, err
	})
	if err == nil {
		err = c.checkUploadURL(address.UploadURL)
	}
	if err != nil {
		return "", err
	}
	return address.FileURL, c.repeat(ctx, func() (said bool, err error) {
		resp, err := c.transport.Send(ctx, &transport.Request{
			Class: transport.Upload, Method: http.MethodPut, URL: address.UploadURL, Guarded: true,
			Header: http.Header{"Content-Type": {s.contentType}},
			Open:   func() (io.ReadCloser, error) { return f.openUnchanged(s) }, Length: s.size, Endpoint: "storage",
		})
		if err != nil {
			return true, err
		}
		body, _ := readHead(resp) // the status says that all has arrived
		switch {
		case resp.StatusCode >= 300:
			return true, c.newError("storage", "", resp, body)
		case isPage(body):
			return false, errors.New("the upload was answered with a page of HTML")
		}
		return true, nil
	})
}

// checkUploadURL refuses addresses that content should not be sent to.
func (c *Client) checkUploadURL(address string) error {
	u, err := url.Parse(address)
	if err == nil && u.User == nil && u.Host != "" && (u.Scheme == "https" || c.transport.Trusts(u)) {
		return nil
	}
	return errors.New("fal named an address to upload to that is not https")
}

// openUnchanged opens a file again and makes sure that it is still what it was
// when it was summarized.
func (f File) openUnchanged(s summary) (io.ReadCloser, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	return &unchangedReader{r: r, want: s, hash: sha256.New()}, nil
}
