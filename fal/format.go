package fal

// OutputFormat is the file format of output pictures. Not every endpoint
// writes every format; the request's Validate tells.
type OutputFormat string

// The formats that fal's image endpoints write.
const (
	JPEG OutputFormat = "jpeg"
	PNG  OutputFormat = "png"
	WebP OutputFormat = "webp"
)
