// Package schema describes the models of packages flux and qwen for tools that
// learn which model to call only at run time: gateways, forms, command lines,
// agents. The functions flux.Models and qwen.Models return the descriptions,
// flux.Decode and qwen.Decode turn JSON into requests.
package schema

const (
	// MaxSide is the longest side of a picture that any endpoint takes, in
	// pixels, and so the bound of what is not bounded otherwise. It stands in
	// the schemas of fal's image sizes.
	MaxSide = 14142
	// Megapixel is the number of pixels that fal counts as one megapixel, where
	// an endpoint's price does not say otherwise.
	Megapixel = 1 << 20
)

// Model describes one endpoint.
type Model struct {
	// Endpoint is the id of the endpoint, such as "fal-ai/flux-2-pro".
	Endpoint string
	// Aliases are other ids of the same endpoint.
	Aliases []string
	// Package and Name are those of its Go type, such as "flux" and "Pro2".
	Package, Name string
	// Preset is the value of the Preset field where several endpoints share
	// the Go type, else "".
	Preset string
	// Title is the model's name as people write it, such as "FLUX.2 [pro]".
	Title string
	// Family is the model family, such as "FLUX.2" or "Qwen Image Edit".
	Family string
	// Task is what it does: text-to-image, image-to-image, edit, inpaint,
	// redux, control, reference, layers, upscale, gallery, relight, train,
	// realtime, try-on, outpaint or erase.
	Task string
	// For says in a few words what it is good for.
	For string
	// PriceClass is that of a picture of 1 megapixel: "$" is under $0.01,
	// "$$" under $0.04, "$$$" from there on; or what is charged for instead,
	// "step" or "second"; "" where no source settles the price.
	PriceClass string
	// Licence is the licence of the weights, "" if there are none to be had
	// or no source tells.
	Licence string
	// OpenWeights says that the weights are published.
	OpenWeights bool
	// Status says whether fal still serves it. AliasStatus is that of the
	// aliases of which something else is known.
	Status      Status
	AliasStatus map[string]Status
	// Result is the kind of result: images, layers, training, upscaled or
	// frames.
	Result string
	// Fields are the fields of the request.
	Fields []Field
	// AsOf is the day on which these facts were put together, such as
	// "2026-11-23". How long ago a source saw the endpoint is in Status.Seen.
	AsOf string
	// New returns an empty request of the Go type, such as flux.Pro2{}.
	New func() any
}

// Status says whether fal serves an endpoint, as far as public sources tell:
// nothing of it was tried. Package platform asks fal itself.
type Status struct {
	State State
	// Since is the day from which on it is in this state, such as "2026-08-19",
	// or words where no source gives a day; "" if it always was.
	Since string
	// Seen is the last day on which a source had it in a list of active models or
	// saw it answer; what came after is not known. It is "" if no day is told.
	Seen string
	// Confidence is how sure the sources are: high, medium or low.
	Confidence string
	// Successor is the id of the endpoint to use instead; "" if there is none.
	Successor string
	// Risk says why a live endpoint may fail all the same, "" if nothing is known.
	Risk string
	// Sources says where this is from.
	Sources []string
}

// State is what became of an endpoint.
type State string

// The states.
const (
	Live      State = "live"      // in fal's list of active models, or seen to answer
	Delisted  State = "delisted"  // gone from the list; it may still answer
	Withdrawn State = "withdrawn" // fal says that it is not supported any more
)

// Type is what a field holds in JSON.
type Type string

// The types of fields.
const (
	String  Type = "string"
	Integer Type = "integer"
	Number  Type = "number"
	Boolean Type = "boolean"
	Enum    Type = "enum"   // a string, one of Field.Enum
	Seed    Type = "seed"   // an unsigned 64-bit integer
	Size    Type = "size"   // one of Field.Enum, or an object with width and height
	File    Type = "file"   // a string holding a URL
	Files   Type = "files"  // an array of URLs
	Object  Type = "object" // an object with Field.Fields
	List    Type = "list"   // an array of such objects
)

// Field describes a field of a request, or of an object inside a request.
type Field struct {
	Name   string // in JSON, such as "image_size"
	GoName string // of the struct field, such as "ImageSize"
	Type   Type
	// Doc says in sentences what the field is, what it takes, and what
	// happens if it is left out.
	Doc string

	Required bool
	Nullable bool // null is accepted and means the same as leaving it out
	// Default is what is used if the field is left out: a string, float64 or
	// bool; nil where there is none.
	Default any

	Min, Max   *float64 // inclusive bounds of a number
	Above      *float64 // exclusive lower bound of a number
	MultipleOf float64  // 0 for any

	MinLength, MaxLength int // of a string, in characters; 0 for any
	MinItems, MaxItems   int // of an array; 0 for any

	// Enum are the values an enum takes, the presets of a size, or the only
	// values of a whole number.
	Enum []string
	Open bool // an enum that takes other strings too
	// PerLayer says that a number may be given as an object from layer names
	// to numbers instead.
	PerLayer bool
	// Unconfirmed says that no source has read the name of the field: fal's page
	// names the ability, and the name is that of the endpoint's siblings. Such a
	// field is sent only if it is set.
	Unconfirmed bool
	// OneOrMany says that files may be given as one string or as an array.
	OneOrMany bool

	Fields []Field // those of an object
}

// Field returns the field of the given name.
func (m Model) Field(name string) (Field, bool) {
	for _, f := range m.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// StatusOf returns the status of one of the ids of the endpoint: its own or an
// alias.
func (m Model) StatusOf(id string) Status {
	if s, ok := m.AliasStatus[id]; ok {
		return s
	}
	return m.Status
}
