// Package body builds the JSON body of a request field by field. The generated
// request types use it; a field at its zero value is left out.
package body

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/jsonenc"
)

// Object is a JSON object under construction. Fields come out in the order in
// which they are added.
type Object struct {
	buf []byte
	err error
}

// New returns an empty object.
func New() *Object { return &Object{buf: append(make([]byte, 0, 512), '{')} }

// JSON closes the object and returns it, or the first problem met.
func (o *Object) JSON() ([]byte, error) {
	if o.err != nil {
		return nil, o.err
	}
	return append(o.buf, '}'), nil
}

func (o *Object) key(name string) {
	if len(o.buf) > 1 {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...) // field names need no escapes
	o.buf = append(o.buf, '"', ':')
}

func (o *Object) fail(name string, err error) {
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("%s: %w", name, err)
	}
}

// String adds a string, or one of the enums, which are strings.
func String[T ~string](o *Object, name string, v T) {
	if v != "" {
		o.key(name)
		o.buf = jsonenc.AppendString(o.buf, string(v))
	}
}

// Int adds a whole number.
func (o *Object) Int(name string, v int) {
	if v != 0 {
		o.key(name)
		o.buf = strconv.AppendInt(o.buf, int64(v), 10)
	}
}

// IntPtr adds the whole number v points to.
func (o *Object) IntPtr(name string, v *int) {
	if v != nil {
		o.key(name)
		o.buf = strconv.AppendInt(o.buf, int64(*v), 10)
	}
}

// Seed adds the seed v points to.
func (o *Object) Seed(name string, v *uint64) {
	if v != nil {
		o.key(name)
		o.buf = strconv.AppendUint(o.buf, *v, 10)
	}
}

// Float adds a number.
func (o *Object) Float(name string, v float64) {
	if v != 0 {
		o.FloatPtr(name, &v)
	}
}

// FloatPtr adds the number v points to.
func (o *Object) FloatPtr(name string, v *float64) {
	if v != nil {
		o.key(name)
		var err error
		o.buf, err = jsonenc.AppendFloat(o.buf, *v)
		o.fail(name, err)
	}
}

// Bool adds true.
func (o *Object) Bool(name string, v bool) {
	if v {
		o.BoolPtr(name, &v)
	}
}

// BoolPtr adds the truth v points to.
func (o *Object) BoolPtr(name string, v *bool) {
	if v != nil {
		o.key(name)
		o.buf = strconv.AppendBool(o.buf, *v)
	}
}

// Size adds an image size.
func (o *Object) Size(name string, v fal.ImageSize) {
	if v != "" {
		o.key(name)
		o.buf = v.AppendJSON(o.buf)
	}
}

// File adds the URL of a file.
func (o *Object) File(name string, v fal.File) {
	if !v.IsZero() {
		o.key(name)
		var err error
		o.buf, err = v.AppendJSON(o.buf)
		o.fail(name, err)
	}
}

// Files adds the URLs of files.
func (o *Object) Files(name string, v []fal.File) {
	if len(v) == 0 {
		return
	}
	o.key(name)
	o.buf = append(o.buf, '[')
	for i, f := range v {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}
		var err error
		o.buf, err = f.AppendJSON(o.buf)
		o.fail(name+"["+strconv.Itoa(i)+"]", err)
	}
	o.buf = append(o.buf, ']')
}

// List adds values that encode themselves.
func List[T json.Marshaler](o *Object, name string, v []T) {
	if len(v) == 0 {
		return
	}
	o.key(name)
	o.buf = append(o.buf, '[')
	for i := range v {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}
		b, err := v[i].MarshalJSON()
		o.fail(name+"["+strconv.Itoa(i)+"]", err)
		o.buf = append(o.buf, b...)
	}
	o.buf = append(o.buf, ']')
}

// Value adds anything else. Callers leave it out when it is zero.
func (o *Object) Value(name string, v any) {
	o.key(name)
	b, err := json.Marshal(v)
	o.fail(name, err)
	o.buf = append(o.buf, b...)
}
