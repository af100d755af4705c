package fal

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// fileLooks is how often what says nothing is asked for, such as a file that
	// is empty or a page of HTML, and how often in a row it is gone on with while nothing comes.
	fileLooks = 4
	// fileResumes is how often a file is gone on with in all.
	fileResumes = 100
)

// fetchFile gets a file and looks at its beginning: what is empty, or a page of
// HTML where none was expected, is asked for again before it is an error.
func (c *Client) fetchFile(ctx context.Context, address string, html bool) (io.ReadCloser, error) {
	for look := 1; ; look++ {
		body, err := c.openFile(ctx, address)
		if err != nil {
			return nil, err
		}
		r := bufio.NewReader(body)
		head, err := r.Peek(512)
		empty := len(head) == 0 && errors.Is(err, io.EOF)
		page := !html && isPage(head)
		if !empty && !page { // if reading failed, so it does for the caller
			return struct {
				io.Reader
				io.Closer
			}{r, body}, nil
		}
		if err = errors.New("the file is empty"); page {
			err = errors.New("the answer is a page of HTML")
		}
		_ = body.Close()
		if look == fileLooks {
			return nil, fmt.Errorf("fal: download: %s: %w", bareURL(address), err)
		}
		if err := sleep(ctx, c.pause(look)); err != nil {
			return nil, fmt.Errorf("fal: download: %s: %w", bareURL(address), err)
		}
	}
}

// repeat asks until an answer says something: a page that something in between
// has put there, or a body that was cut off, says nothing.
func (c *Client) repeat(ctx context.Context, ask func() (said bool, err error)) error {
	for look := 1; ; look++ {
		said, err := ask()
		if said || err == nil || look == fileLooks || sleep(ctx, c.pause(look)) != nil {
			return err
		}
	}
}

// isPage reports whether the beginning of a body is that of a page of HTML.
func isPage(head []byte) bool {
	return strings.HasPrefix(http.DetectContentType(head), "text/html")
}

// pause is how long is waited before something that was read is read again.
func (c *Client) pause(look int) time.Duration {
	return min(cmp.Or(max(c.Retry.MinWait, 0), minPoll)<<look, cmp.Or(max(c.Retry.MaxWait, 0), maxPoll))
}

// identity has a server send the file as it is, so that places in it are those
// in its answer.
var identity = []string{"identity"}

// openFile gets a file, and goes on with it where an answer was cut off.
func (c *Client) openFile(ctx context.Context, address string) (io.ReadCloser, error) {
	resp, err := c.download(ctx, address, http.Header{"Accept-Encoding": identity})
	if err != nil {
		return nil, err
	}
	return &fileReader{ctx: ctx, c: c, address: address, body: resp.Body, version: fileVersion(resp.Header), progress: time.Now()}, nil
}

// fileVersion names the content of a file, where the server does.
func fileVersion(h http.Header) string {
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return h.Get("Last-Modified")
}

// fileReader reads a file of which an answer may be cut off.
type fileReader struct {
	ctx      context.Context //nolint:containedctx // a body has one
	c        *Client
	address  string
	body     io.ReadCloser
	version  string
	at       int64
	progress time.Time // when something came
	looks    int       // since then
	resumes  int
	err      error // at last; readers that look ahead ask again
}

func (r *fileReader) Close() error { return r.body.Close() }

func (r *fileReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.read(p)
	if err != nil && n == 0 {
		r.err = err
	}
	return n, err
}

func (r *fileReader) read(p []byte) (int, error) {
	for {
		n, err := r.body.Read(p)
		if n > 0 {
			r.looks, r.progress = 0, time.Now()
		}
		if r.at += int64(n); r.at > maxDownload {
			return 0, fmt.Errorf("fal: download: the file has more than the %d bytes that are read", int64(maxDownload))
		}
		if n > 0 || err == nil || errors.Is(err, io.EOF) {
			if n > 0 && !errors.Is(err, io.EOF) {
				err = nil // it comes again
			}
			return n, err
		}
		if !r.goOn(err) {
			return 0, fmt.Errorf("fal: download: %s broke off after %d bytes: %w", bareURL(r.address), r.at, err)
		}
	}
}

// goOn gets the rest of the file, after it was cut off with an error.
func (r *fileReader) goOn(err error) bool {
	for r.ctx.Err() == nil && r.looks < fileLooks && r.resumes < fileResumes && !errors.Is(err, errOtherFile) {
		r.looks++
		r.resumes++
		if sleep(r.ctx, r.c.pause(r.looks)) != nil {
			return false
		}
		left := r.c.outage() - time.Since(r.progress)
		if left <= 0 && r.looks > minLooks {
			return false
		}
		if err = r.resume(); err == nil {
			return true
		}
	}
	return false
}

// errOtherFile says that a file is no longer what its beginning was a part of.
var errOtherFile = errors.New("the file has changed")

// resume asks for the rest, and passes over what is there already if all of it
// comes.
func (r *fileReader) resume() error {
	_ = r.body.Close()
	r.body = http.NoBody
	header := http.Header{"Accept-Encoding": identity}
	if r.at > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", r.at))
		if r.version != "" {
			header.Set("If-Range", r.version)
		}
	}
	resp, err := r.c.download(r.ctx, r.address, header)
	if err != nil {
		return err
	}
	same := r.at == 0 || fileVersion(resp.Header) == r.version
	switch begin := fmt.Sprintf("bytes %d-", r.at); {
	case !same, resp.StatusCode == http.StatusPartialContent && !strings.HasPrefix(resp.Header.Get("Content-Range"), begin):
		err = errOtherFile
	case resp.StatusCode != http.StatusPartialContent:
		r.version = fileVersion(resp.Header)
		_, err = io.CopyN(io.Discard, resp.Body, r.at)
	}
	if err != nil {
		_ = resp.Body.Close()
		return err
	}
	r.body = resp.Body
	return nil
}
