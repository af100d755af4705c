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
		"2ECC71":      "must begin with #: write #2ECC71",
		"":            "must begin with #",
		"#":           "has 0 digits",
		"#2ECC7":      "has 5 digits",
		"#2ECC711":    "has 7 digits",
		"#2ECC7G":     "0 to 9 and A to F",
		" #2ECC71":    "must begin with #",
		"#2ECC71 ":    "0 to 9 and A to F",
		"#2ECC7１":     "plain characters: write #2ECC71",
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
		valid  bool
	}{
		{"#2ECC71", "color #2ECC71", true},
		{"#aBcDeF", "color #aBcDeF", true},
		{"#2ECC71 (emerald green)", "emerald green (color #2ECC71)", true},
		{"warm amber", "warm amber", true},
		{"red (dark)", "red (dark)", true},
		{"", "", false},
		{" ", " ", false},
		{"#FFF", "color #FFF", false},
		{"#FFF (white)", "white (color #FFF)", false},
		{"#FFF white", "white (color #FFF)", false},
		{"#12345", "color #12345", false},
		{"#", "color #", false},
		{"#1", "color #1", false},
		{"#12", "color #12", false},
		{"2ECC71", "color 2ECC71", false},
		{"＃2ECC71", "color ＃2ECC71", false},
		{"#２ＥＣＣ７１", "color #２ＥＣＣ７１", false},
		{"#2ECC71 ()", "color #2ECC71", true},
		{"#2ECC71 emerald", "emerald (color #2ECC71)", true},
		{"#2ECC71: emerald", "emerald (color #2ECC71)", true},
		{"emerald #2ECC71", "emerald (color #2ECC71)", true},
		{"emerald (#2ECC71)", "emerald (color #2ECC71)", true},
		{"emerald (#2ECC71), glossy", "emerald , glossy (color #2ECC71)", true},
		{"emerald green (color #2ECC71)", "emerald green (color #2ECC71)", true},
		{"color #2ECC71", "color #2ECC71", true},
		{"watercolor #2ECC71", "watercolor (color #2ECC71)", true},
		{"red (dark) #2ECC71", "red (dark) (color #2ECC71)", true},
		{"翠绿（#2ECC71）", "翠绿 (color #2ECC71)", true},
		{"#2ECC71（翠绿）", "翠绿 (color #2ECC71)", true},
		{"#FF0000 to #00FF00", "#FF0000 to #00FF00", true},
	}
	for _, tt := range tests {
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

func FuzzHex(f *testing.F) {
	for _, s := range []string{"#2ECC71", "#fff", "#2ECC71FF", "2ECC71", "#2ECC71 (emerald)", "#", "#\xff", "#FFF (", "amber"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := flux.Hex(s)
		if err == nil && (c.Validate() != nil || c.Phrase() != "color "+s) {
			t.Fatalf("Hex(%q) = %q, which is not valid, or its phrase is %q", s, c, c.Phrase())
		}
		if other := flux.Color(s); strings.HasPrefix(s, "#") && other.Validate() == nil && !strings.Contains(other.Phrase(), "#") {
			t.Fatalf("%q.Phrase() = %q", s, other.Phrase())
		}
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
