package fal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

const (
	// parallelParts is how many parts a client sends, and holds, at a time.
	parallelParts = 10
	// maxParts is how many parts a file has at most.
	maxParts = 10_000
)

// part is a piece of a file that goes by itself.
type part struct {
	n      int // from 1
	size   int64
	reader func() io.Reader // anew for each attempt
	free   func()

	hash contentHash
	etag string
}

// inParts sends a file in parts, several at a time.
func (t *transfer) inParts(ctx context.Context, at place) (done, error) {
	parts, err := leaving(ctx, func() ([]*part, error) { return t.sendParts(ctx, at) })
	if err != nil {
		return done{}, err
	}
	size, hashes := int64(0), make([]contentHash, len(parts))
	type named struct {
		PartNumber int    `json:"partNumber"`
		ETag       string `json:"etag"`
	}
	complete := struct {
		Parts []named `json:"parts"`
	}{make([]named, len(parts))}
	for i, p := range parts {
		size += p.size
		hashes[i], complete.Parts[i] = p.hash, named{p.n, p.etag}
	}
	header := t.header(at)
	if err := t.ask(ctx, at.completeURL, false, header, complete, nil, nil); err != nil && !t.arrived(ctx, at, size, err) {
		return done{}, err
	}
	return done{at.fileURL, size, joinHashes(hashes)}, nil
}

// arrived reports whether a file is there though the order to put it together
// was refused: it may have been repeated after an answer that was lost.
func (t *transfer) arrived(ctx context.Context, at place, size int64, err error) bool {
	if _, refused := errors.AsType[*Error](err); !refused || t.c.checkUploadURL(at.fileURL) != nil {
		return false
	}
	resp, err := t.c.transport.Send(ctx, &transport.Request{
		Class: transport.Read, Method: http.MethodHead, URL: at.fileURL, Guarded: true, Endpoint: "storage", Timeout: readTimeout,
	})
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK && resp.ContentLength == size
}

// sendParts sends all parts and returns them in order.
func (t *transfer) sendParts(ctx context.Context, at place) ([]*part, error) {
	g, head, err := t.f.openUnchanged(t.s)
	if err != nil {
		return nil, t.fail(err)
	}
	defer func() { _ = g.Close() }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	var parts []*part
	next := t.fromReader(io.MultiReader(bytes.NewReader(head), g))
	if r := g.at(); r != nil {
		next = t.fromReaderAt(r)
	}
	for ctx.Err() == nil {
		select {
		case t.c.uploads.parts <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		p, err := next(len(parts) + 1)
		if err != nil {
			cancel(t.fail(err))
		}
		if p == nil {
			<-t.c.uploads.parts
			break
		}
		parts = append(parts, p)
		wait.Go(func() {
			defer func() { p.free(); <-t.c.uploads.parts }()
			if err := t.sendPart(ctx, at, p); err != nil {
				cancel(fmt.Errorf("part %d: %w", p.n, err))
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !t.s.same(g.info()) {
		return nil, t.fail(errChanged)
	}
	return parts, nil
}

// fromReaderAt returns the parts of what can be read at any place. They are read
// while they are sent.
func (t *transfer) fromReaderAt(r io.ReaderAt) func(n int) (*part, error) {
	return func(n int) (*part, error) {
		from := int64(n-1) * partSize
		if from >= t.s.size {
			return nil, nil
		}
		size := min(partSize, t.s.size-from)
		return &part{n: n, size: size, free: func() {}, reader: func() io.Reader { return io.NewSectionReader(r, from, size) }}, nil
	}
}

// fromReader returns the parts of what is read from its beginning to its end.
// They are held until they are sent.
func (t *transfer) fromReader(r io.Reader) func(n int) (*part, error) {
	var total int64
	ended := false
	return func(n int) (*part, error) {
		if ended {
			return nil, nil
		}
		held := &heldPart{buffer: buffers.Get().(*[partSize]byte)} //nolint:forcetypeassert // nothing else is in there
		size, err := io.ReadFull(r, held.buffer[:])
		ended = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		total += int64(size)
		switch {
		case err != nil && !ended:
		case t.s.size >= 0 && (total > t.s.size || ended && total < t.s.size):
			err = errChanged
		case size > 0 && n > maxParts:
			err = fmt.Errorf("the file has more than the %d bytes that are uploaded", int64(maxParts*partSize))
		default:
			err = nil
		}
		if err != nil || size == 0 {
			held.free()
			return nil, err
		}
		return &part{n: n, size: int64(size), free: held.free, reader: func() io.Reader { return &heldReader{part: held, end: size} }}, nil
	}
}

// buffers hold parts.
var buffers = sync.Pool{New: func() any { return new([partSize]byte) }}

// heldPart is a part in memory. An attempt that was given up may still read it
// when its memory is to be used anew.
type heldPart struct {
	mu     sync.Mutex
	buffer *[partSize]byte // nil once it is free
}

func (h *heldPart) free() {
	h.mu.Lock()
	defer h.mu.Unlock()
	buffers.Put(h.buffer)
	h.buffer = nil
}

type heldReader struct {
	part    *heldPart
	at, end int
}

func (r *heldReader) Read(p []byte) (int, error) {
	r.part.mu.Lock()
	defer r.part.mu.Unlock()
	if r.part.buffer == nil || r.at == r.end {
		return 0, io.EOF
	}
	n := copy(p, r.part.buffer[r.at:r.end])
	r.at += n
	return n, nil
}

// sendPart sends one part, as often as it takes.
func (t *transfer) sendPart(ctx context.Context, at place, p *part) error {
	header := make(http.Header)
	if at.authorization != "" {
		header.Set("Authorization", at.authorization)
		header.Set("Accept-Encoding", "identity") // or the ETag may be lost
	}
	var err error
	p.hash, err = t.put(ctx, http.MethodPut, at.partURL(p.n), header, p.size, func() (*sending, error) {
		return &sending{r: p.reader()}, nil
	}, func(header http.Header, body []byte) error {
		p.etag, err = etagOf(header, body, p.n)
		return err
	})
	return err
}

// etagOf returns what the storage calls a part that it has.
func etagOf(header http.Header, body []byte, n int) (string, error) {
	var told struct {
		PartNumber *int   `json:"partNumber"`
		ETag       string `json:"etag"`
	}
	_ = json.Unmarshal(body, &told) // the header may be all there is
	inHeader := header.Get("ETag")
	etag := cmp.Or(told.ETag, inHeader)
	bare := func(s string) string { return strings.Trim(strings.TrimPrefix(s, "W/"), `"`) }
	switch {
	case bare(etag) == "":
		return "", errors.New("fal's storage gave no ETag for it")
	case inHeader != "" && bare(inHeader) != bare(etag):
		return "", errors.New("fal's storage gave two ETags for it")
	case told.PartNumber != nil && *told.PartNumber != n:
		return "", fmt.Errorf("fal's storage took it for part %d", *told.PartNumber)
	}
	return etag, nil
}
