package faltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/catalog"
)

// decodeInput reads a body with its numbers as they were written.
func decodeInput(body []byte) (map[string]any, []problem) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var in any
	if err := dec.Decode(&in); err != nil {
		return nil, []problem{{Loc: []any{"body"}, Msg: "JSON decode error", Type: "json_invalid"}}
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, []problem{{Loc: []any{"body"}, Msg: "JSON decode error: Extra data", Type: "json_invalid"}}
	}
	object, ok := in.(map[string]any)
	if !ok {
		return nil, []problem{{Loc: []any{"body"}, Msg: "Input should be a valid dictionary", Type: "model_attributes_type", Input: in}}
	}
	return object, nil
}

// checker collects everything that is wrong with an input.
type checker struct {
	s        *Server
	endpoint *catalog.Endpoint
	problems []problem
}

func (c *checker) add(loc []any, kind, msg string, input any, ctx map[string]any) {
	c.problems = append(c.problems, problem{Loc: slices.Clone(loc), Msg: msg, Type: kind, Input: input, Ctx: ctx})
}

// object checks the fields of an object, in the order of the catalogue. A
// field that the endpoint does not have is passed over, as the service does,
// and doubted; a strict server refuses it.
func (c *checker) object(loc []any, fields []catalog.Field, in map[string]any) {
	for i := range fields {
		f := &fields[i]
		v, given := in[f.Name]
		at := append(slices.Clone(loc), f.Name)
		switch {
		case !given && f.Required:
			c.add(at, "missing", "Field required", nil, nil)
		case !given, v == nil && !f.Required:
		default:
			c.field(at, f, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if slices.ContainsFunc(fields, func(f catalog.Field) bool { return f.Name == name }) {
			continue
		}
		at := append(slices.Clone(loc), name)
		if c.s.strict {
			c.add(at, "extra_forbidden", "Extra inputs are not permitted", in[name], nil)
		} else {
			c.s.doubt("%s: the endpoint has no field %s: fal passes it over", c.endpoint.ID, dotted(at[1:]))
		}
	}
}

// dotted writes a location as people do: loras[0].path. Names are shortened:
// they are the client's.
func dotted(loc []any) string {
	var b strings.Builder
	for i, l := range loc {
		switch l := l.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", l)
		case string:
			if i > 0 {
				b.WriteByte('.')
			}
			fmt.Fprintf(&b, "%.60s", l)
		}
	}
	return b.String()
}

func (c *checker) field(loc []any, f *catalog.Field, v any) {
	switch f.Type {
	case catalog.String, catalog.Enum:
		c.text(loc, f, v)
	case catalog.File:
		c.file(loc, f, v)
	case catalog.Files:
		if _, isText := v.(string); isText && f.OneOrMany {
			c.file(loc, f, v)
			return
		}
		c.items(loc, f, v, func(at []any, item any) { c.file(at, f, item) })
	case catalog.Integer:
		c.number(loc, f, v, true)
	case catalog.Number:
		if layers, ok := v.(map[string]any); ok && f.PerLayer {
			for _, name := range slices.Sorted(maps.Keys(layers)) { // always in the same order
				c.number(append(slices.Clone(loc), name), f, layers[name], false)
			}
			return
		}
		c.number(loc, f, v, false)
	case catalog.Boolean:
		if _, ok := v.(bool); !ok {
			c.add(loc, "bool_type", "Input should be a valid boolean", v, nil)
		}
	case catalog.Seed:
		c.seed(loc, f, v)
	case catalog.Size:
		c.size(loc, f, v)
	case catalog.Object, catalog.List:
		c.model(loc, f, v)
	}
}

func (c *checker) model(loc []any, f *catalog.Field, v any) {
	one := func(at []any, item any) {
		object, ok := item.(map[string]any)
		if !ok {
			c.add(at, "model_attributes_type", "Input should be a valid dictionary", item, nil)
			return
		}
		if m := catalog.ModelOf(f.Model); m != nil {
			c.object(at, m.Fields, object)
		}
	}
	if f.Type == catalog.Object {
		one(loc, v)
		return
	}
	c.items(loc, f, v, one)
}

func (c *checker) items(loc []any, f *catalog.Field, v any, one func(at []any, item any)) {
	list, ok := v.([]any)
	if !ok {
		c.add(loc, "list_type", "Input should be a valid list", v, nil)
		return
	}
	if len(list) < f.MinItems || f.Required && len(list) == 0 {
		least := max(f.MinItems, 1)
		c.add(loc, "sequence_too_short", fmt.Sprintf("List should have at least %d item", least), len(list), map[string]any{"min_length": least})
	}
	if f.MaxItems > 0 && len(list) > f.MaxItems {
		c.add(loc, "sequence_too_long", fmt.Sprintf("List should have at most %d items", f.MaxItems), len(list), map[string]any{"max_length": f.MaxItems})
	}
	for i, item := range list {
		one(append(slices.Clone(loc), i), item)
	}
}

func (c *checker) text(loc []any, f *catalog.Field, v any) {
	text, ok := v.(string)
	if !ok {
		c.add(loc, "string_type", "Input should be a valid string", v, nil)
		return
	}
	if f.Type == catalog.Enum && !f.Open && !slices.Contains(f.Enum, text) {
		c.add(loc, "one_of", "Input should be one of "+strings.Join(f.Enum, ", "), text, map[string]any{"expected": f.Enum})
	}
	n := utf8.RuneCountInString(text)
	least := f.MinLength
	if f.Name == "prompt" && f.Required {
		least = max(least, 1)
	}
	if n < least {
		c.add(loc, "string_too_short", fmt.Sprintf("String should have at least %d characters", least), text, map[string]any{"min_length": least})
	}
	if f.MaxLength > 0 && n > f.MaxLength {
		c.add(loc, "string_too_long", fmt.Sprintf("String should have at most %d characters", f.MaxLength), text, map[string]any{"max_length": f.MaxLength})
	}
}

// number checks a number. As with pydantic, 4.0 is a whole number.
func (c *checker) number(loc []any, f *catalog.Field, v any, whole bool) {
	literal, ok := v.(json.Number)
	n, err := literal.Float64()
	if !ok || err != nil {
		c.add(loc, "float_type", "Input should be a valid number", v, nil)
		return
	}
	if whole && n != math.Trunc(n) {
		c.add(loc, "int_from_float", "Input should be a valid integer", v, nil)
		return
	}
	bound := func(bad bool, kind, words, key string, limit float64) {
		if bad {
			text := strconv.FormatFloat(limit, 'f', -1, 64)
			c.add(loc, kind, "Input should be "+words+" "+text, v, map[string]any{key: limit})
		}
	}
	if f.Min != nil {
		bound(n < *f.Min, "greater_than_equal", "greater than or equal to", "ge", *f.Min)
	}
	if f.Above != nil {
		bound(n <= *f.Above, "greater_than", "greater than", "gt", *f.Above)
	}
	if f.Max != nil {
		bound(n > *f.Max, "less_than_equal", "less than or equal to", "le", *f.Max)
	}
	if f.MultipleOf > 0 {
		bound(math.Mod(n, f.MultipleOf) != 0, "multiple_of", "a multiple of", "multiple_of", f.MultipleOf)
	}
}

func (c *checker) seed(loc []any, f *catalog.Field, v any) {
	literal, ok := v.(json.Number)
	n, whole := wholeNumber(literal)
	if !ok || !whole {
		c.add(loc, "int_type", "Input should be a valid integer", v, nil)
		return
	}
	if f.Max != nil && float64(n) > *f.Max {
		c.add(loc, "less_than_equal", "Input should be less than or equal to "+strconv.FormatFloat(*f.Max, 'f', -1, 64), v, map[string]any{"le": *f.Max})
	}
}

// wholeNumber reads a whole number of 64 bits, which may be written as 42.0 or
// 42e0. One with a fraction of zeros is exact, one with an exponent as far as
// a float64 is.
func wholeNumber(literal json.Number) (n uint64, ok bool) {
	text := literal.String()
	if whole, fraction, ok := strings.Cut(text, "."); ok && strings.Trim(fraction, "0") == "" {
		text = whole
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, true
	}
	f, err := literal.Float64()
	if err != nil || f != math.Trunc(f) || f < 0 || f >= 1<<64 || !strings.ContainsAny(text, "eE") {
		return 0, false
	}
	return uint64(f), true
}

// presets are the sizes that have names.
var presets = map[string][2]int{
	"square_hd": {1024, 1024}, "square": {512, 512}, "portrait_4_3": {768, 1024},
	"portrait_16_9": {576, 1024}, "landscape_4_3": {1024, 768}, "landscape_16_9": {1024, 576},
}

func (c *checker) size(loc []any, f *catalog.Field, v any) {
	switch v := v.(type) {
	case string:
		if _, ok := presets[v]; !ok && (v != "auto" || !f.Auto) {
			c.add(loc, "one_of", "Input should be a preset or a width and height", v, map[string]any{"expected": []string{"square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"}})
		}
	case map[string]any:
		zero, most := 0.0, float64(schema.MaxSide)
		side := catalog.Field{Type: catalog.Integer, Above: &zero, Max: &most}
		width, height := side, side
		width.Name, height.Name = "width", "height"
		c.object(loc, []catalog.Field{width, height}, v)
	default:
		c.add(loc, "string_type", "Input should be a preset or a width and height", v, nil)
	}
}

// file checks that a file can be fetched: it is a URL, and if it is one of
// this server, the file is there. Of what is here, the first bytes must be
// those of a picture, or of an archive where one belongs.
func (c *checker) file(loc []any, f *catalog.Field, v any) {
	u, ok := v.(string)
	if !ok {
		c.add(loc, "string_type", "Input should be a valid string", v, nil)
		return
	}
	scheme, _, _ := strings.Cut(u, ":")
	if scheme != "data" && scheme != "https" && scheme != "http" || scheme == "data" && !strings.Contains(u, ",") {
		c.undownloadable(loc, u)
		return
	}
	if stored, here := c.s.stored(u); here && stored == nil {
		c.undownloadable(loc, u)
		return
	}
	content, here := c.s.fetch(u)
	switch {
	case !here:
	case isArchive(f):
		if !bytes.HasPrefix(content, []byte("PK")) {
			c.add(loc, "invalid_archive", "Invalid archive. Please ensure it is a valid, uncorrupted archive file.", u, map[string]any{"supported_extensions": []string{".zip"}})
		}
	case isPictureField(f) && !isPicture(content):
		c.add(loc, "image_load_error", "Failed to load the image. Please ensure the image file is not corrupted and is in a supported format.", u, nil)
	}
}

func (c *checker) undownloadable(loc []any, u string) {
	c.add(loc, "file_download_error", "Failed to download the file. Please check if the URL is accessible and try again.", u, nil)
}

// isArchive reports whether the field takes a training set.
func isArchive(f *catalog.Field) bool { return strings.HasSuffix(f.Name, "_data_url") }

func isPictureField(f *catalog.Field) bool {
	return !isArchive(f) && (strings.Contains(f.Name, "image") || strings.Contains(f.Name, "mask"))
}

// isPicture reports whether the first bytes are those of a picture, in a
// format that some model may read.
func isPicture(content []byte) bool {
	if strings.HasPrefix(http.DetectContentType(content), "image/") {
		return true
	}
	if len(content) >= 12 && string(content[4:8]) == "ftyp" { // HEIC and AVIF
		return slices.Contains([]string{"avif", "avis", "heic", "heix", "mif1", "msf1"}, string(content[8:12]))
	}
	return bytes.HasPrefix(content, []byte("II*\x00")) || bytes.HasPrefix(content, []byte("MM\x00*")) // TIFF
}
