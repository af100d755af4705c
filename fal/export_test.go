package fal

// What tests of this package need to see of its inside.
var (
	ParseEndpoint = parseEndpoint
	NewError      = newError
	DecodeDataURL = decodeDataURL
	ContentType   = contentType
	ResolveHosts  = Hosts.resolve
	KeyText       = Key.text
	Encode        = encode
)

const (
	MinPoll    = minPoll
	StreamIdle = streamIdle
)
