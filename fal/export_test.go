package fal

import "net/http"

// What tests of this package need to see of its inside.
var (
	ParseEndpoint = parseEndpoint
	DecodeDataURL = decodeDataURL
	ContentType   = contentType
	ResolveHosts  = Hosts.resolve
	KeyText       = Key.text
	EachFile      = eachFile
)

const (
	MinPoll    = minPoll
	StreamIdle = streamIdle
)

// NewError makes the error for an answer.
func NewError(endpoint, requestID string, status int, header http.Header, body []byte) *Error {
	return newError(endpoint, requestID, status, header, body, visible)
}
