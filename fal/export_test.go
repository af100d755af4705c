package fal

import (
	"context"
	"io"
	"net/http"

	"github.com/falimage/falimage-go/fal/internal/naming"
)

// What tests of this package need to see of its inside.
var (
	ParseEndpoint = parseEndpoint
	DecodeDataURL = decodeDataURL
	ContentType   = naming.Type
	ResolveHosts  = Hosts.resolve
	KeyOf         = (*Client).key
	EachFile      = eachFile
	MaxResult     = maxResult
	PictureMemory = pictureMemory
	CheckPicture  = checkPicture
	BareURL       = bareURL
)

const (
	MinPoll    = minPoll
	StreamIdle = streamIdle
)

// NewError makes the error for an answer.
func NewError(endpoint, requestID string, status int, header http.Header, body []byte) *Error {
	return newError(endpoint, requestID, status, header, body, visible)
}

// ReadEvents reads a stream of events.
func ReadEvents(ctx context.Context, r io.Reader, most, total int64, yield func(name string, data []byte, err error) bool) {
	for e, err := range readEvents(ctx, r, most, total) {
		if !yield(e.name, e.data, err) {
			return
		}
	}
}

// MaxWhole is how much of a file goes in one piece.
var MaxWhole = &maxWhole

// UploadedAs tells under which name and type a file would be uploaded.
func UploadedAs(ctx context.Context, f File) (name, contentType string, err error) {
	s, err := f.summarize(ctx)
	return s.name, s.contentType, err
}
