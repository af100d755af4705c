// Package catalog holds what is known about every FLUX and Qwen Image endpoint
// on fal: fields, ranges, defaults, limits and results. The request types of
// packages flux and qwen and the models of package router are generated from
// it, and package faltest checks and bills requests by it. Prices are in package
// pricing.
//
// The facts are in data/*.json, which is kept by hand. Parsing happens once,
// on first use. Everything returned is shared: callers must not change it.
package catalog

import (
	"maps"
	"slices"

	"github.com/falimage/falimage-go/fal/schema"
)

// Endpoint is one endpoint that has a type, or a preset of a type, of its own.
type Endpoint struct {
	// ID is the endpoint's id, such as "fal-ai/flux-2-pro".
	ID string
	// Name is the name of its Go type in Package.
	Name string
	// Package is "flux" or "qwen".
	Package string
	// File is the name, without ".go", of the file the type is written to.
	File string
	// Family is the model family, such as "FLUX.2" or "Qwen Image Edit".
	Family string
	// Task is what it does: "text-to-image", "image-to-image", "edit",
	// "inpaint", "redux", "control", "reference", "layers", "upscale",
	// "gallery", "relight", "train", "realtime", "try-on", "outpaint" or "erase".
	Task string
	// Title is the model's name as people write it, such as "FLUX.2 [pro]".
	Title string
	// For says in a few words what it is good for.
	For string
	// Verb says what the type does where the task does not say it, such as
	// "combines pictures with"; Notes are further sentences for its comment.
	Verb, Notes string
	// Licence is the licence of the weights, "" if there are none to be had
	// or no source tells.
	Licence string
	// OpenWeights says that the weights are published.
	OpenWeights bool
	// HostedOnly says that the weights are known not to be published.
	HostedOnly bool
	// Price is the price class of a picture of 1 megapixel: "$" under $0.01,
	// "$$" under $0.04, "$$$" from there on; or what is charged for instead,
	// "step" or "second"; "" where no source settles it. Prices themselves
	// are in package pricing.
	Price string
	// Aliases are other ids of the same endpoint, which take the same fields.
	Aliases []string
	// PresetType is the Go type of the Preset field of the request, "" for
	// endpoints with a type of their own.
	PresetType string
	// Preset tells this endpoint from the others that share its Go type.
	Preset *Preset
	// Fields are the fields of the request, in the order of the Go struct.
	Fields []Field
	// Output is the kind of result: "images", "layers", "training",
	// "upscaled" or "frames".
	Output string
	// OutputFields are the fields of the result that the endpoint fills in.
	OutputFields []OutputField
	// Limits are the rules that stand in no schema.
	Limits Limits
	// Status says whether fal still serves it. AliasStatus is that of the aliases
	// of which something else is known.
	Status      schema.Status
	AliasStatus map[string]schema.Status
	// AsOf is the day of the facts, such as "2026-11-23".
	AsOf string
	// Sources says where the facts come from.
	Sources []string
}

// PresetMark stands for the preset in a [Preset.Pattern].
const PresetMark = "{preset}"

// Preset is one of several endpoints that share a Go type.
type Preset struct {
	Value string // a part of the endpoint's id
	Go    string // the name of the Go constant
	For   string // what it is good for
	// Pattern is the id of all of them, with PresetMark where Value stands.
	Pattern string
}

// Type is what a field holds.
type Type string

// The types of fields.
const (
	String  Type = "string"
	Integer Type = "integer"
	Number  Type = "number"
	Boolean Type = "boolean"
	Enum    Type = "enum"   // a string, one of Field.Enum unless Field.Open
	Seed    Type = "seed"   // an unsigned 64-bit integer
	Size    Type = "size"   // a preset name or an object with width and height
	File    Type = "file"   // a string holding a URL
	Files   Type = "files"  // an array of URLs
	Object  Type = "object" // an object described by Field.Model
	List    Type = "list"   // an array of such objects
)

// Field is a field of a request, or of an object inside a request.
type Field struct {
	Name     string // in JSON, such as "image_size"
	Go       string // in Go, such as "ImageSize"
	Type     Type
	EnumType string // the Go type of an enum, such as "Acceleration", or "string"
	GoType   string // the Go type of a number that has one of its own, such as "Direction"
	Model    string // the name of the object's [Model]; see [ModelOf]
	// Pointer says that the Go field is a pointer, because the zero value is
	// accepted somewhere and differs from leaving the field out.
	Pointer bool

	Required bool
	Nullable bool // null is accepted and means the same as leaving it out
	// Default is what the service uses if the field is left out: a string,
	// float64, bool, or nil where there is none or it is null.
	Default any
	// WhenNull says what happens if the field is left out, where that is not
	// a value.
	WhenNull string

	Min, Max   *float64 // inclusive bounds of a number
	Above      *float64 // exclusive lower bound of a number
	MultipleOf float64  // 0 for any

	MinLength, MaxLength int // of a string, in characters; 0 for any
	MinItems, MaxItems   int // of an array; 0 for any. See also Limits.Files.

	// Enum are the values of an enum that the endpoint takes, or the only ones
	// of a whole number, in digits.
	Enum []string
	Open bool // an enum that takes other strings too
	Auto bool // a size that may be "auto"
	// PerLayer says that a number may be given as an object from layer names
	// to numbers instead.
	PerLayer bool
	// Weights says that a string tells where weights are: "path" by a path,
	// "file" by a path or, in Go, by a local file, "method" by a path or a name
	// that the service knows; "" for other strings.
	Weights string
	// OneOrMany says that files may be given as one string or as an array.
	OneOrMany bool

	// Unconfirmed says that no source has read the name of the field: fal's page
	// names the ability, and the name is that of the endpoint's siblings.
	Unconfirmed bool

	// Doc says what the field is, in words that continue its name. It may
	// contain {range}, {enum}, {count} and the like for the generator.
	Doc string
}

// IsFile reports whether the field holds one or more files.
func (f *Field) IsFile() bool { return f.Type == File || f.Type == Files }

// OutputField is a field of a result.
type OutputField struct {
	Name     string
	Model    string // for pictures and files: "Image", "ImageFile", "File" or "Frame"
	Nullable bool
}

// Model is an object inside a request, such as a LoRA.
type Model struct {
	Name     string // its Go type
	Packages []string
	Doc      string // what it is, in words that continue its name
	Fields   []Field
}

// EnumDef is the Go type of an enum.
type EnumDef struct {
	Name     string
	Packages []string
	Doc      string            // in words that continue the name
	Docs     map[string]string // instead of Doc, by package
	// ConstsDoc is the comment of the constants.
	ConstsDoc string
	// Values are pairs of a value and the name of its constant.
	Values [][2]string
}

// All returns every endpoint that has a type, or a preset of a type, of its
// own, in the order of the files they are generated into.
func All() []*Endpoint { return data().all }

// IDs returns every id and alias, sorted.
func IDs() []string { return slices.Sorted(maps.Keys(data().byID)) }

// Lookup returns the endpoint with the given id or alias.
func Lookup(id string) (*Endpoint, bool) {
	e, ok := data().byID[id]
	return e, ok
}

// ModelOf returns the object that a field of type Object or List holds, or
// nil.
func ModelOf(name string) *Model { return data().models[name] }

// Models returns every object, in order.
func Models() []*Model { return data().modelList }

// Enums returns the Go types of enums, in order.
func Enums() []EnumDef { return data().enums }

// FieldOrder returns the names of all fields of requests in their one
// canonical order.
func FieldOrder() []string { return data().order }

// Field returns the field of the given name.
func (e *Endpoint) Field(name string) (*Field, bool) {
	i := slices.IndexFunc(e.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return &e.Fields[i], true
}
