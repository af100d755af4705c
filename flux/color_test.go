package flux_test

import (
	"fmt"
	"image/color"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/flux"
)

func TestHex(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"#2ECC71", "#02eb3c", "#000000", "#fFfFfF"} {
		if c, err := flux.Hex(code); err != nil || string(c) != code {
			t.Errorf("Hex(%q) = %q, %v, want it as it is", code, c, err)
		}
	}
	for code, want := range map[string]string{
		"#2C7":        "write #22CC77",
		"#2C7F":       "alpha",
		"#2ECC71FF":   "alpha",
		"2ECC71":      "must begin with #",
		"":            "must begin with #",
		"#":           "has 0 digits",
		"#2ECC7":      "has 5 digits",
		"#2ECC711":    "has 7 digits",
		"#2ECC7G":     "0 to 9 and A to F",
		" #2ECC71":    "must begin with #",
		"#2ECC71 ":    "0 to 9 and A to F",
		"#2ECC7１":     "0 to 9 and A to F",
		"#2ECC71 (a)": "0 to 9 and A to F",
		"0x2ECC71":    "must begin with #",
	} {
		c, err := flux.Hex(code)
		if err == nil || c != "" || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", code)) {
			t.Errorf("Hex(%q) = %q, %v; want an error with the code and %q", code, c, err, want)
		}
	}
}

func TestColorForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		color  flux.Color
		phrase string
		rgb    color.NRGBA // alpha 0: none
		valid  bool
	}{
		{"#2ECC71", "color #2ECC71", color.NRGBA{0x2e, 0xcc, 0x71, 0xff}, true},
		{"#aBcDeF", "color #aBcDeF", color.NRGBA{0xab, 0xcd, 0xef, 0xff}, true},
		{"#2ECC71 (emerald green)", "emerald green (color #2ECC71)", color.NRGBA{0x2e, 0xcc, 0x71, 0xff}, true},
		{"warm amber", "warm amber", color.NRGBA{}, true},
		{"red (dark)", "red (dark)", color.NRGBA{}, true},
		{"", "", color.NRGBA{}, false},
		{" ", " ", color.NRGBA{}, false},
		{"#FFF", "color #FFF", color.NRGBA{}, false},
		{"#FFF (white)", "white (color #FFF)", color.NRGBA{}, false},
		{"#2ECC71 ()", "color #2ECC71 ()", color.NRGBA{}, false},
		{"#2ECC71 green", "color #2ECC71 green", color.NRGBA{}, false},
	}
	for _, tt := range tests {
		rgb, ok := tt.color.NRGBA()
		if rgb != tt.rgb || ok != (tt.rgb.A > 0) {
			t.Errorf("%q.NRGBA() = %v, %v, want %v", tt.color, rgb, ok, tt.rgb)
		}
		if got := tt.color.Phrase(); got != tt.phrase {
			t.Errorf("%q.Phrase() = %q, want %q", tt.color, got, tt.phrase)
		}
		if err := tt.color.Validate(); (err == nil) != tt.valid {
			t.Errorf("%q.Validate() = %v, want valid %v", tt.color, err, tt.valid)
		}
	}
}

func TestColorOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from color.Color
		want flux.Color
	}{
		{color.NRGBA{0x2e, 0xcc, 0x71, 0xff}, "#2ECC71"},
		{color.NRGBA{0x2e, 0xcc, 0x71, 0x00}, "#2ECC71"},
		{color.RGBA{0x80, 0, 0, 0x80}, "#FF0000"},
		{color.Gray{0x0a}, "#0A0A0A"},
		{color.Transparent, "#000000"},
		{color.White, "#FFFFFF"},
	} {
		if diff := cmp.Diff(tt.want, flux.ColorOf(tt.from)); diff != "" {
			t.Errorf("ColorOf(%v) (-want +got):\n%s", tt.from, diff)
		}
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ from, want flux.Color }{
		{"#2ECC71", "#2ECC71 (leaf)"},
		{"#2ECC71 (emerald)", "#2ECC71 (leaf)"},
		{"emerald", "leaf"},
	} {
		if got := tt.from.Named("leaf"); got != tt.want {
			t.Errorf("%q.Named = %q, want %q", tt.from, got, tt.want)
		}
	}
}

func FuzzHex(f *testing.F) {
	for _, s := range []string{"#2ECC71", "#fff", "#2ECC71FF", "2ECC71", "#2ECC71 (emerald)", "#", "#\xff", "#FFF (", "amber"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := flux.Hex(s)
		rgb, ok := c.NRGBA()
		if ok != (err == nil) {
			t.Fatalf("Hex(%q) = %v, and NRGBA says %v", s, err, ok)
		}
		if ok {
			if back := flux.ColorOf(rgb); !strings.EqualFold(string(back), s) || c.Validate() != nil {
				t.Fatalf("%q became %q", s, back)
			}
		}
		other := flux.Color(s)
		_, exact := other.NRGBA()
		if valid := other.Validate() == nil; exact && !valid {
			t.Fatalf("%q has a code and is not valid", s)
		}
		if exact && !strings.Contains(other.Phrase(), "color #") {
			t.Fatalf("%q.Phrase() = %q", s, other.Phrase())
		}
		_ = flux.Gradient(other, other.Named(s))
	})
}

func ExampleHex() {
	// A code that a customer typed.
	if _, err := flux.Hex("#2C7"); err != nil {
		fmt.Println(err)
	}
	green, err := flux.Hex("#2ECC71")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("a wall painted in " + green.Phrase())
	// Output:
	// flux: colour "#2C7": is the short form, which prompts do not know: write #22CC77
	// a wall painted in color #2ECC71
}

func ExampleGradient() {
	const coral, teal flux.Color = "#FF6B6B", "#4ECDC4"
	fmt.Println("a vase with a " + flux.Gradient(coral, teal))
	fmt.Println("a vase with a " + flux.Gradient(coral.Named("coral"), "white"))
	// Output:
	// a vase with a gradient from hex #FF6B6B to hex #4ECDC4
	// a vase with a gradient from coral (hex #FF6B6B) to white
}
