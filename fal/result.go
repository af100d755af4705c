package fal

import "time"

// Meta is what is known about the call that gave a result. Result types embed
// it. It is filled in by this package, whatever the model sends; a result that
// is stored as JSON keeps it.
type Meta struct {
	// Endpoint is the id of the endpoint that was called. Fal may have served
	// the request from a fallback of it without telling.
	Endpoint string `json:"endpoint,omitzero"`
	// RequestID identifies the call at fal: for [Resume], support and billing.
	RequestID string `json:"request_id,omitzero"`
	// BillableUnits is what was billed, in units of the endpoint, as the
	// decimal that fal sent ("1.5"); "" if it sent none. Package pricing turns
	// it into money.
	BillableUnits string `json:"billable_units,omitzero"`
	// Elapsed is the time from the start of the call to its decoded result.
	// For a job taken up by [Resume] it starts there; of a realtime session it
	// is how long it was connected. In JSON it is in nanoseconds.
	Elapsed time.Duration `json:"elapsed,omitzero"`
	// InferenceTime is the time that the model itself took, as reported with
	// the status of a queued job; 0 if it was not.
	InferenceTime time.Duration `json:"inference_time,omitzero"`
}

// setMeta is promoted to every result type that embeds Meta.
func (m *Meta) setMeta(v Meta) { *m = v }

type metaSetter interface{ setMeta(Meta) }

// getMeta is promoted likewise.
func (m Meta) getMeta() Meta { return m }

// Image is a picture in a result. Only URL is always there.
type Image struct {
	// URL is where the picture is: an https URL that anybody who knows it can
	// read, or a data URL if sync_mode was set.
	URL string `json:"url"`
	// Width and Height are in pixels; 0 if the model did not say.
	Width  int `json:"width,omitzero"`
	Height int `json:"height,omitzero"`
	// ContentType is the media type, such as "image/png"; it may be missing.
	ContentType string `json:"content_type,omitzero"`
	FileName    string `json:"file_name,omitzero"`
	// FileSize is in bytes; 0 if the model did not say.
	FileSize int64 `json:"file_size,omitzero"`
}

// File returns the picture, with its size, as input for another request.
func (i Image) File() File { return URL(i.URL).Sized(i.Width, i.Height) }

// Images is the result of an endpoint that makes pictures. It also takes that of
// one that makes a single picture, under the name "image".
type Images struct {
	Meta `json:"meta,omitzero"`

	Images []Image `json:"images"`
	// Seed is the seed that was used: pass &out.Seed to make the same again.
	Seed uint64 `json:"seed,omitzero"`
	// Prompt is the prompt that was used; not every endpoint reports it.
	Prompt string `json:"prompt,omitzero"`
	// HasNSFWConcepts tells for each picture whether the safety checker
	// flagged it; such a picture may have been blacked out. Not every
	// endpoint reports it.
	HasNSFWConcepts []bool `json:"has_nsfw_concepts,omitzero"`
	// Timings are in seconds, by name, as the endpoint reports them.
	Timings map[string]float64 `json:"timings,omitzero"`
	// Warnings are what is not as it was asked for: fewer pictures, another
	// size, pictures that were flagged.
	Warnings []Warning `json:"-"`
}

// Flagged reports whether the safety checker flagged picture i.
func (r *Images) Flagged(i int) bool {
	return i >= 0 && i < len(r.HasNSFWConcepts) && r.HasNSFWConcepts[i]
}

// OutputFile is a file in a result that is not a picture, such as a LoRA.
type OutputFile struct {
	URL         string `json:"url"`
	ContentType string `json:"content_type,omitzero"`
	FileName    string `json:"file_name,omitzero"`
	FileSize    int64  `json:"file_size,omitzero"` // in bytes
}

// File returns the file, with its size, as input for another request.
func (f OutputFile) File() File {
	file := URL(f.URL)
	file.bytes = max(f.FileSize, 0)
	return file
}

// Media is a file in a result: an [Image] or an [OutputFile].
type Media interface {
	// Extension is the file name extension, with its dot, as far as the result
	// tells.
	Extension() string

	media() (url, contentType string)
}

func (i Image) media() (url, contentType string)      { return i.URL, i.ContentType }
func (f OutputFile) media() (url, contentType string) { return f.URL, f.ContentType }
