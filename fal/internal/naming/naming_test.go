package naming_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/internal/naming"
)

// A template is filled field by field, and what is wrong with it is told by its
// column.
func TestFill(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"":                                     "",
		"{a}}":                                 `at column 4 a brace is closed and none is open`,
		"}}":                                   `at column 2 a brace is closed and none is open`,
		"{{a}}{a}":                             `at column 5 a brace is closed and none is open`,
		"} x} y":                               "} x} y",
		"} {{}}":                               `at column 6 a brace is closed and none is open`,
		"{{{a}}-{{}":                           "{A}-{}",
		"{a}-{b}":                              "A-B",
		"{{a}{a}":                              "{a}A",
		"x{{{a}":                               "x{A",
		"x{c}":                                 `at column 2 there is an unknown field {c}`,
		"{a}{b":                                `at column 4 a brace is opened and not closed; write {{ for a brace`,
		"{a}{" + strings.Repeat("c", 70) + "}": `at column 4 there is an unknown field {` + strings.Repeat("c", 60) + `}`,
	} {
		got, err := naming.Fill(template, func(field string) (string, bool) {
			return strings.ToUpper(field), field == "a" || field == "b"
		})
		if err != nil {
			got += err.Error()
		}
		if got != want {
			t.Errorf("%q is %q, want %q", template, got, want)
		}
	}
}

// What cannot be in a file name is replaced, and does not meet another text there.
func TestPlain(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 100)
	for text, want := range map[string]string{
		"":          "",
		"Az09.-_":   "Az09.-_",
		"a/b":       "a_b-" + naming.Sum("a/b"),
		"..":        "-" + naming.Sum(".."),
		".a":        "a-" + naming.Sum(".a"),
		"{[`:@^":    "______-" + naming.Sum("{[`:@^"),
		"ü":         "_-" + naming.Sum("ü"),
		long:        long,
		long + "kk": long + "-" + naming.Sum(long+"kk"),
	} {
		if got := naming.Plain(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if got := naming.Sum("abc"); got != "ba7816bf8f01" {
		t.Errorf("the sum of abc is %s", got)
	}
}

// The bytes of a picture come before what is told of it, and of other files after.
func TestExtensions(t *testing.T) {
	t.Parallel()
	const jpeg, zip, none = "\xff\xd8\xff\xe0", "PK\x03\x04", "?"
	for _, tt := range []struct {
		told    string
		picture bool
		head    string
		want    string
	}{
		{".png", true, jpeg, ".jpg"},
		{".png", true, none, ".png"},
		{".bin", true, none, ".bin"},
		{".png", true, "", ".png"},
		{".pt", false, zip, ".pt"},
		{".bin", false, zip, ".zip"},
		{".bin", false, none, ".bin"},
	} {
		if got := naming.ExtensionOf(tt.told, tt.picture, []byte(tt.head)); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	for want, names := range map[string][]string{
		".safetensors":                {"lora.safetensors", "x.zip"},
		".json":                       {"", "https://x.example/a.b/c.json"},
		".bin":                        {"a", "b.", "c.x y", "d.öl", ".." + strings.Repeat("e", 15)},
		"." + strings.Repeat("e", 14): {"f." + strings.Repeat("e", 14)},
	} {
		if got := naming.ExtensionIn(names...); got != want {
			t.Errorf("%q: %s, want %s", names, got, want)
		}
	}
}

// Values are found however deep, in order, and not looked into.
func TestFind(t *testing.T) {
	t.Parallel()
	type found struct {
		N     int
		Inner *found
	}
	type node struct {
		A      found
		B      *found
		C      []any
		D      [2]found
		Bytes  []byte
		hidden found
		Next   *node
	}
	three := 3
	n := &node{A: found{N: 1, Inner: &found{N: 9}}, B: &found{N: 2}, C: []any{nil, &three, found{N: 3}}, Bytes: []byte{1}, hidden: found{N: 9}}
	n.D[1].N = 4
	n.Next = n // for ever, but for the depth
	got := naming.Find(any(n), func(f found) bool { return f.N != 0 })
	var numbers []int
	for _, f := range got {
		numbers = append(numbers, f.N)
	}
	want := []int{1, 2, 3, 4}
	if len(numbers) < 8 || len(numbers) > 100 {
		t.Fatalf("found %v", numbers)
	}
	if diff := cmp.Diff(append(want, want...), numbers[:8]); diff != "" {
		t.Error(diff)
	}
	for _, v := range []any{nil, 3, (*node)(nil), []byte("x"), map[string]found{}} {
		if got := naming.Find(v, func(found) bool { return true }); got != nil {
			t.Errorf("in %v there is %v", v, got)
		}
	}
}
