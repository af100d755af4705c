// Package msgpack turns JSON into MessagePack and back, which is what realtime
// sessions speak. It is built on the runtime of tinylib/msgp.
package msgpack

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/tinylib/msgp/msgp"
)

const (
	// maxDepth is how deep a frame is nested at most, maxValues how many values
	// it has.
	maxDepth  = 64
	maxValues = 1 << 20
)

// Encode turns JSON into MessagePack. The members of objects with the name
// binary hold base64, and become bytes; "" is for none. A text that is in place
// of another becomes that one: JSON is slow with long ones.
func Encode(body []byte, binary string, place map[string]string) ([]byte, error) {
	e := encoder{json.NewDecoder(bytes.NewReader(body)), binary, place}
	e.dec.UseNumber()
	out, err := e.value(make([]byte, 0, len(body)), "")
	if err == nil {
		if _, more := e.dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more than one JSON value")
		}
	}
	return out, err
}

type encoder struct {
	dec    *json.Decoder
	binary string
	place  map[string]string
}

// value appends the next value, which is a member of the given name.
func (e encoder) value(b []byte, name string) ([]byte, error) {
	token, err := e.dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		return e.items(b, v == '{')
	case json.Number:
		return appendNumber(b, v)
	case string:
		if name != "" && name == e.binary {
			content, err := base64.StdEncoding.DecodeString(v)
			return msgp.AppendBytes(b, content), err
		}
		if long, ok := e.place[v]; ok {
			v = long
		}
		return msgp.AppendString(b, v), nil
	case bool:
		return msgp.AppendBool(b, v), nil
	}
	return msgp.AppendNil(b), nil
}

// items appends an object or an array whose beginning was read. How many
// items it has is known in the end, so they are kept apart until then.
func (e encoder) items(b []byte, object bool) (_ []byte, err error) {
	var items []byte
	n := uint32(0)
	for ; e.dec.More(); n++ {
		name := ""
		if object {
			token, err := e.dec.Token()
			if err != nil {
				return nil, err
			}
			name, _ = token.(string)
			items = msgp.AppendString(items, name)
		}
		if items, err = e.value(items, name); err != nil {
			return nil, err
		}
	}
	if _, err := e.dec.Token(); err != nil { // the end
		return nil, err
	}
	if object {
		b = msgp.AppendMapHeader(b, n)
	} else {
		b = msgp.AppendArrayHeader(b, n)
	}
	return append(b, items...), nil
}

// appendNumber keeps whole numbers whole: a seed has more digits than a float.
func appendNumber(b []byte, n json.Number) ([]byte, error) {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return msgp.AppendInt64(b, i), nil
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return msgp.AppendUint64(b, u), nil
	}
	f, err := n.Float64()
	return msgp.AppendFloat64(b, f), err
}

// Decode turns MessagePack into JSON. Bytes become base64, as encoding/json has
// them; those that keep returns stand in place of what it is given, unless it is
// nil.
func Decode(frame []byte, keep func(content []byte) []byte) ([]byte, error) {
	d := decoder{keep: keep}
	if keep == nil {
		d.out = make([]byte, 0, len(frame)+len(frame)/2)
	}
	rest, err := d.value(frame, 0)
	if err == nil && len(rest) > 0 {
		err = errors.New("something follows its value")
	}
	if err != nil {
		return nil, fmt.Errorf("the frame is malformed: %w", err)
	}
	return d.out, nil
}

type decoder struct {
	out    []byte
	values int
	keep   func([]byte) []byte
}

func (d *decoder) value(b []byte, depth int) (rest []byte, err error) {
	if d.values++; d.values > maxValues {
		return nil, fmt.Errorf("it has more than %d values", maxValues)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	if cutOff(b) {
		return nil, msgp.ErrShortBytes
	}
	switch kind := msgp.NextType(b); kind {
	case msgp.MapType, msgp.ArrayType:
		return d.items(b, depth, kind == msgp.MapType)
	case msgp.StrType:
		text, rest, err := msgp.ReadStringZC(b)
		if err == nil {
			err = d.text(text)
		}
		return rest, err
	case msgp.BinType:
		content, rest, err := msgp.ReadBytesZC(b)
		if d.keep != nil && err == nil {
			content = d.keep(content)
		}
		d.out = append(d.out, '"')
		d.out = base64.StdEncoding.AppendEncode(d.out, content)
		d.out = append(d.out, '"')
		return rest, err
	case msgp.BoolType:
		v, rest, err := msgp.ReadBoolBytes(b)
		d.out = strconv.AppendBool(d.out, v)
		return rest, err
	case msgp.IntType:
		v, rest, err := msgp.ReadInt64Bytes(b)
		d.out = strconv.AppendInt(d.out, v, 10)
		return rest, err
	case msgp.UintType:
		v, rest, err := msgp.ReadUint64Bytes(b)
		d.out = strconv.AppendUint(d.out, v, 10)
		return rest, err
	case msgp.Float32Type, msgp.Float64Type:
		v, rest, err := msgp.ReadFloat64Bytes(b)
		d.float(v)
		return rest, err
	case msgp.NilType:
		rest, err := msgp.ReadNilBytes(b)
		d.out = append(d.out, "null"...)
		return rest, err
	default:
		if len(b) == 0 {
			return nil, msgp.ErrShortBytes
		}
		return nil, fmt.Errorf("it has a value of type %v", kind)
	}
}

// cutOff reports whether a text or bytes with a length of 32 bits have fewer than
// that. The library looks itself, but with an int, which has 32 bits on some
// machines.
func cutOff(b []byte) bool {
	const text32, bytes32 = 0xdb, 0xc6
	return len(b) >= 5 && (b[0] == text32 || b[0] == bytes32) && uint64(binary.BigEndian.Uint32(b[1:])) > uint64(len(b)-5)
}

func (d *decoder) items(b []byte, depth int, object bool) (rest []byte, err error) {
	read, ends := msgp.ReadArrayHeaderBytes, "[]"
	if object {
		read, ends = msgp.ReadMapHeaderBytes, "{}"
	}
	n, rest, err := read(b)
	if err != nil {
		return nil, err
	}
	if uint64(n) > uint64(len(rest)) {
		return nil, msgp.ErrShortBytes // every item has a byte at least
	}
	d.out = append(d.out, ends[0])
	for i := range n {
		if i > 0 {
			d.out = append(d.out, ',')
		}
		if object {
			var name []byte
			if cutOff(rest) {
				return nil, msgp.ErrShortBytes
			}
			if name, rest, err = msgp.ReadMapKeyZC(rest); err != nil {
				return nil, err
			}
			if err := d.text(name); err != nil {
				return nil, err
			}
			d.out = append(d.out, ':')
		}
		if rest, err = d.value(rest, depth+1); err != nil {
			return nil, err
		}
	}
	d.out = append(d.out, ends[1])
	return rest, nil
}

func (d *decoder) text(s []byte) error {
	quoted, err := json.Marshal(string(s))
	d.out = append(d.out, quoted...)
	return err
}

func (d *decoder) float(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.out = append(d.out, "null"...) // JSON has no such numbers
		return
	}
	d.out = strconv.AppendFloat(d.out, v, 'g', -1, 64)
}
