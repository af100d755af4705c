package introspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/internal/check"
)

// Decode reads the JSON body of a request to an endpoint of the given package
// and validates it. The error is a *fal.ValidationError, except for an unknown
// id.
func Decode(pkg string, newRequest func(id string) any, id string, body []byte) (any, error) {
	request := newRequest(id)
	e, ok := catalog.Lookup(id)
	if request == nil || !ok {
		return nil, fmt.Errorf("%s: no endpoint %q in this package", pkg, id)
	}
	d := &decoder{}
	value := reflect.ValueOf(request).Elem()
	d.object("", body, described(e), value)
	decoded := value.Interface()
	d.validate(decoded)
	if err := d.problems.Err(id); err != nil {
		return nil, err
	}
	return decoded, nil
}

// descriptions are the fields of endpoints, by endpoint, once described.
var descriptions sync.Map

func described(e *catalog.Endpoint) []schema.Field {
	if known, ok := descriptions.Load(e); ok {
		if list, ok := known.([]schema.Field); ok {
			return list
		}
	}
	list := fields(e, e.Fields)
	descriptions.Store(e, list)
	return list
}

// decoder collects what is wrong with a body.
type decoder struct {
	problems check.List
	failed   []string // the paths that were not decoded
}

func (d *decoder) fail(path string, value []byte, message string) {
	d.problems.Add(path, string(value), message)
	d.failed = append(d.failed, path)
}

// validate adds what Validate says, except about fields that could not be
// decoded.
func (d *decoder) validate(request any) {
	v, ok := request.(interface{ Validate() error })
	if !ok {
		return
	}
	var invalid *fal.ValidationError
	if !errors.As(v.Validate(), &invalid) {
		return
	}
	for _, p := range invalid.Problems {
		known := slices.ContainsFunc(d.failed, func(path string) bool { return within(p.Field, path) })
		if !known {
			d.problems.Add(p.Field, p.Value, p.Message)
		}
	}
}

// within reports whether path is at or below another.
func within(path, above string) bool {
	rest, ok := strings.CutPrefix(path, above)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// object decodes a JSON object into a struct.
func (d *decoder) object(path string, data []byte, known []schema.Field, into reflect.Value) {
	members, err := members(data)
	if err != nil {
		d.fail(orBody(path), data, err.Error())
		return
	}
	seen := map[string]bool{}
	for _, m := range members {
		at := join(path, m.name)
		i := slices.IndexFunc(known, func(f schema.Field) bool { return f.Name == m.name })
		switch {
		case i < 0:
			d.fail(at, m.value, "is not a field of this endpoint")
		case seen[m.name]:
			d.fail(at, m.value, "stands twice")
		default:
			d.field(at, m.value, &known[i], into)
		}
		seen[m.name] = true
	}
}

func orBody(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// field decodes a member of an object into the struct field that it is for.
func (d *decoder) field(path string, data []byte, f *schema.Field, into reflect.Value) {
	if string(data) == "null" {
		if !f.Nullable {
			d.fail(path, data, "must not be null; leave it out instead")
		}
		return
	}
	target := into.FieldByName(f.GoName)
	switch f.Type {
	case schema.Object:
		d.object(path, data, f.Fields, target)
	case schema.List:
		d.list(path, data, f, target)
	default:
		if f.PerLayer && bytes.HasPrefix(data, []byte("{")) {
			target = into.FieldByName("LayerScales")
		}
		if f.OneOrMany && bytes.HasPrefix(data, []byte(`"`)) {
			data = slices.Concat([]byte("["), data, []byte("]"))
		}
		d.leaf(path, data, f, target)
	}
}

func (d *decoder) list(path string, data []byte, f *schema.Field, target reflect.Value) {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		d.fail(path, data, "must be an array of objects")
		return
	}
	list := reflect.MakeSlice(target.Type(), len(items), len(items))
	for i, item := range items {
		d.object(check.At(path, i), item, f.Fields, list.Index(i))
	}
	if len(items) > 0 {
		target.Set(list)
	}
}

// leaf decodes what is no object of ours.
func (d *decoder) leaf(path string, data []byte, f *schema.Field, target reflect.Value) {
	switch f.Type {
	case schema.Integer, schema.Seed:
		data = whole(data)
	case schema.Size:
		data = wholeSides(data)
	}
	if err := json.Unmarshal(data, target.Addr().Interface()); err != nil {
		target.SetZero()
		d.fail(path, data, "must be "+wanted(f))
		return
	}
	if problem := explicit(f, data, target); problem != "" {
		d.fail(path, data, problem)
	}
}

// whole returns a number that is written with a fraction of zeros or an
// exponent, such as 4.0 or 1e3, in digits alone, if it is whole. What it is not,
// stays.
func whole(literal []byte) []byte {
	const most = 40 // digits: far more than any field takes
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(literal)), "e")
	before, after, _ := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	shift := 0
	if exponent != "" {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil {
			return literal
		}
	}
	digits, point := before+after, len(before)+shift
	if !decimal(digits) || len(digits) > most || point > most || point < 0 && strings.Trim(digits, "0") != "" {
		return literal
	}
	point = max(point, 0)
	digits += strings.Repeat("0", max(0, point-len(digits)))
	if strings.Trim(digits[point:], "0") != "" {
		return literal
	}
	digits = strings.TrimLeft(digits[:point], "0")
	switch {
	case digits == "":
		return []byte("0")
	case mantissa[0] == '-':
		return []byte("-" + digits)
	}
	return []byte(digits)
}

func decimal(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// wholeSides writes the sides of a size in digits alone.
func wholeSides(data []byte) []byte {
	list, err := members(data)
	if err != nil {
		return data
	}
	object := make(map[string]json.RawMessage, len(list))
	for _, m := range list {
		object[m.name] = whole(m.value)
	}
	if data, err = json.Marshal(object); err != nil {
		return []byte("{}") // cannot be: these were JSON
	}
	return data
}

// wanted says what a field holds.
func wanted(f *schema.Field) string {
	switch f.Type {
	case schema.Integer:
		return "a whole number"
	case schema.Number:
		if f.PerLayer {
			return "a number, or an object from layer names to numbers"
		}
		return "a number"
	case schema.Boolean:
		return "true or false"
	case schema.Seed:
		return "a whole number from 0 to 18446744073709551615"
	case schema.Size:
		return "a preset name or an object with width and height"
	case schema.File:
		return "a string holding a URL"
	case schema.Files:
		return "an array of strings holding URLs"
	default:
		return "a string"
	}
}

// explicit says what is wrong with a value that, once in the Go type, is the
// same as one left out, or as one that is given in another form.
func explicit(f *schema.Field, data []byte, target reflect.Value) string {
	switch f.Type {
	case schema.Integer, schema.Number:
		if target.Kind() != reflect.Pointer && target.IsZero() {
			return zeroRefused(f)
		}
	case schema.Enum, schema.File:
		if target.IsZero() && !f.Required {
			return "must not be empty; leave it out instead"
		}
	case schema.Size:
		return size(f, data)
	}
	return ""
}

// zeroRefused says why a field does not take an explicit 0, or "".
func zeroRefused(f *schema.Field) string {
	switch {
	case f.Min != nil && *f.Min > 0:
		return fmt.Sprintf("must be %v or more", *f.Min)
	case f.Above != nil && *f.Above >= 0:
		return fmt.Sprintf("must be more than %v", *f.Above)
	case f.Max != nil && *f.Max < 0:
		return fmt.Sprintf("must be at most %v", *f.Max)
	}
	return ""
}

// size says what is wrong with the JSON of a size.
func size(f *schema.Field, data []byte) string {
	var preset string
	if json.Unmarshal(data, &preset) == nil {
		if !slices.Contains(f.Enum, preset) {
			return "must be one of " + strings.Join(f.Enum, ", ") + ", or an object with width and height"
		}
		return ""
	}
	members, err := members(data)
	if err != nil {
		return "must be " + wanted(f)
	}
	for _, m := range members {
		if m.name != "width" && m.name != "height" {
			return "takes width and height only, not " + m.name
		}
		if string(m.value) == "null" {
			return m.name + " must not be null"
		}
	}
	return ""
}

type member struct {
	name  string
	value json.RawMessage
}

// members takes a JSON object apart, in order. Unlike a map it keeps names
// that stand twice.
func members(data []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	if err != nil || open != json.Delim('{') {
		return nil, errors.New("must be an object")
	}
	var list []member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("is not valid JSON: %w", err)
		}
		key, _ := name.(string)
		m := member{name: key}
		if err := dec.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("is not valid JSON: %w", err)
		}
		list = append(list, m)
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("is not valid JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something after the object")
	}
	return list, nil
}
