package msgpack_test

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"

	"github.com/falimage/falimage-go/fal/internal/msgpack"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{}`, `[]`, `null`, `true`, `""`, `-1`, `18446744073709551615`, `-9223372036854775808`, `0.5`, `1e+300`,
		`{"prompt":"a \"mug\" 一","seed":15860307465884635512,"deep":{"a":[1,[2,{"b":null}],false]},"x":""}`,
		`"` + strings.Repeat("x", 70000) + `"`, `[` + strings.Repeat(`1,`, 70000) + `2]`,
	} {
		frame, err := msgpack.Encode([]byte(body), "", nil)
		if err != nil {
			t.Errorf("%.40s: %v", body, err)
			continue
		}
		got, err := msgpack.Decode(frame, nil)
		if err != nil || string(got) != body {
			t.Errorf("%.40s became %.40s, %v", body, got, err)
		}
	}
}

// What a JavaScript encoder makes of a request is what this one makes.
func TestEncode(t *testing.T) {
	t.Parallel()
	got, err := msgpack.Encode([]byte(`{"prompt":"hi","n":3,"big":4294967296,"f":0.5,"on":true,"content":"AQI="}`), "content", nil)
	want := "\x86\xa6prompt\xa2hi\xa1n\x03\xa3big\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa1f\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00\xa2on\xc3\xa7content\xc4\x02\x01\x02"
	if err != nil {
		t.Fatal(err)
	}
	// A whole number may have a sign in its type; what it says is the same.
	got = bytes.Replace(got, []byte("\xd3\x00\x00\x00\x01"), []byte("\xcf\x00\x00\x00\x01"), 1)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("frame (-want +got):\n%s", diff)
	}
	for _, bad := range []string{``, `{`, `{"a":}`, `[1`, `{} {}`, `{"a":1e999}`} {
		if _, err := msgpack.Encode([]byte(bad), "", nil); err == nil {
			t.Errorf("%q was encoded", bad)
		}
	}
	if _, err := msgpack.Encode([]byte(`{"content":"!"}`), "content", nil); err == nil {
		t.Error("what is no base64 became bytes")
	}
}

func TestDecodeBytes(t *testing.T) {
	t.Parallel()
	frame := msgp.AppendBytes(msgp.AppendString(msgp.AppendMapHeader(nil, 1), "content"), []byte{1, 2, 255})
	got, err := msgpack.Decode(frame, nil)
	if err != nil || string(got) != `{"content":"AQL/"}` {
		t.Errorf("%s, %v", got, err)
	}
	got, err = msgpack.Decode(msgp.AppendFloat32(nil, 0.5), nil)
	if err != nil || string(got) != "0.5" {
		t.Errorf("float32: %s, %v", got, err)
	}
}

// Hostile frames are errors, in bounded memory.
func TestHostile(t *testing.T) {
	for name, tt := range map[string]struct {
		frame []byte
		want  string
	}{
		"nothing":                 {nil, "too few bytes"},
		"a nest of arrays, 5 MB":  {bytes.Repeat([]byte{0x91}, 5<<20), "nested more than 64 deep"},
		"a nest of maps":          {bytes.Repeat([]byte{0x81, 0xa1, 'a'}, 1<<20), "nested more than 64 deep"},
		"an array of 4e9 items":   {[]byte{0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0}, "too few bytes"},
		"a map of 4e9 items":      {[]byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0xa0, 0xc0}, "too few bytes"},
		"a string of 4 GB":        {[]byte{0xdb, 0xff, 0xff, 0xff, 0xff, 'x'}, "too few bytes"},
		"a key of 4 GB":           {[]byte{0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, 'x'}, "too few bytes"},
		"bytes of 4 GB":           {[]byte{0xc6, 0xff, 0xff, 0xff, 0xff, 'x'}, "too few bytes"},
		"many values":             {append([]byte{0xdd, 0, 0x20, 0, 0}, bytes.Repeat([]byte{0xc0}, 0x200000)...), "more than 1048576 values"},
		"a key that is no string": {[]byte{0x81, 1, 1}, "type"},
		"an extension":            {[]byte{0xd4, 5, 0}, "type"},
		"something after the end": {[]byte{0xc0, 0xc0}, "follows"},
		"an unused code":          {[]byte{0xc1}, "type"},
		"cut off":                 {[]byte{0x82, 0xa1, 'a', 1, 0xa1, 'b'}, "too few bytes"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := msgpack.Decode(tt.frame, nil)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s: %d MiB", name, used>>20)
		}
	}
}

// FuzzFrame decodes whatever it is given: nothing panics, what comes is JSON, and
// it survives the way there and back.
func FuzzFrame(f *testing.F) {
	for _, body := range []string{`{}`, `[1,-2,0.5,"x",null,true]`, `{"images":[{"content":"AQI=","width":768}],"seed":18446744073709551615}`} {
		frame, err := msgpack.Encode([]byte(body), "content", nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add(bytes.Repeat([]byte{0x91}, 100))
	f.Fuzz(func(t *testing.T, frame []byte) {
		body, err := msgpack.Decode(frame, nil)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%x became %s, which is no JSON", frame, body)
		}
		second := again(t, body)
		if third := again(t, second); !bytes.Equal(second, third) { // the first may have had text that is no UTF-8
			t.Errorf("%s became %s", second, third)
		}
	})
}

// again sends JSON there and back.
func again(t *testing.T, body []byte) []byte {
	t.Helper()
	frame, err := msgpack.Encode(body, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err = msgpack.Decode(frame, nil)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
