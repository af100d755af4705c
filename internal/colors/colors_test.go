package colors_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/check"
	"github.com/falimage/falimage-go/internal/colors"
)

// found returns the codes of a text, those that are wrong with a "!" before.
func found(text string) []string {
	var all []string
	for c := range colors.All(text) {
		code := text[c.Start:c.End]
		if colors.Wrong(code) != "" {
			code = "!" + code
		}
		all = append(all, code)
	}
	return all
}

func TestAll(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want []string
	}{
		{"", nil},
		{"#", nil},
		{"a mug in color #2ECC71 and hex #ff0000, #000000.", []string{"#2ECC71", "#ff0000", "#000000"}},
		{"#FF0000#00FF00", []string{"#FF0000", "#00FF00"}},
		{"#FF0000 to#00FF00", []string{"#FF0000"}},
		{"color#FFF", []string{"!#FFF"}},
		{"#2ECC71色的杯子，颜色为#12345", []string{"#2ECC71", "!#12345"}},
		{"颜色：2ecc71", []string{"!2ecc71"}},
		// Too short and too long.
		{"#12345 #FFF #FFFF #12345678 #1234567 #AABBCCDD", []string{"!#12345", "!#FFF", "!#FFFF", "!#12345678", "!#1234567", "!#AABBCCDD"}},
		{"#1 #12 #AB #123456789 #ABCDEF0123", nil},
		// Numbers, unless they are announced or in quotation marks.
		{"the player #123 or #199 in room #1024", nil},
		{"#1F3 and #F123", []string{"!#1F3", "!#F123"}},
		{"color #123, hex: #1024", []string{"!#123", "!#1024"}},
		{`["#123","#2ECC71 (x)"]`, []string{"!#123", "#2ECC71"}},
		{"#000 or #1111", []string{"!#000", "!#1111"}},
		// Slips.
		{"#2ECC7G #O0FF00 #0OFF00 #AECC7G #AECCDG", []string{"!#2ECC7G", "!#O0FF00", "!#0OFF00", "!#AECC7G"}},
		{"#GGGGGG #summer #team24 #ffgfff #winter24 #abgh #12X", nil},
		// What is no code.
		{"F#m7 and C#2ECC71 and issue#12345 and &#12345; and x_#12345", nil},
		{"#cafeé #FFF_2 #FFFé", nil},
		// Without the mark.
		{"2ECC71, 2ecc71 (02eb3c) 2ECC71.", []string{"!2ECC71", "!2ecc71", "!02eb3c", "!2ECC71"}},
		{"1ea000 1e100a", []string{"!1ea000", "!1e100a"}},
		{"0x2ECC71 0XFFAA00 0x2ECC7", []string{"!0x2ECC71", "!0XFFAA00"}},
		{"decade FACADE 123456 1e1000 12E345 2ECC7 2ECC711 2ECC7G", nil},
		{"color decade, color: 123456, hex=FFAABB", []string{"!decade", "!123456", "!FFAABB"}},
		{"a-2ECC71 2ECC71-a x/2ECC71 2ECC71/x _2ECC71 2ECC71_ a.2ECC71 2ECC71.png é2ECC71 2ECC71é @2ECC71", nil},
		{"f47ac10b-58cc-4372-a567-0e02b2c3d479", nil},
		// Full width.
		{"＃2ECC71 #２ＥＣＣ７１ ＃２ＥＣＣ７１ ２ＥＣＣ７１ #2ECC7１ ＃ＦＦＦ", []string{"!＃2ECC71", "!#２ＥＣＣ７１", "!＃２ＥＣＣ７１", "!２ＥＣＣ７１", "!#2ECC7１", "!＃ＦＦＦ"}},
		{"\xff#2ECC71\xff", []string{"#2ECC71"}},
		{`{"color_palette":["#FFF","2ECC71","#2ECC71 emerald","#2ECC71 (emerald)"]}`, []string{"!#FFF", "!2ECC71", "#2ECC71", "#2ECC71"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, found(tt.text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.text, diff)
		}
	}
}

func TestWrong(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"#2ECC71":   "",
		"#abcdef":   "",
		"#FFF":      "is the short form, which prompts do not know: write #FFFFFF",
		"#2C7":      "is the short form, which prompts do not know: write #22CC77",
		"＃2C7":      "is the short form, which prompts do not know: write #22CC77",
		"#2C7F":     "has an alpha channel, which prompts do not know: write six digits, as in #2ECC71",
		"#2ECC71FF": "has an alpha channel, which prompts do not know: write six digits, as in #2ECC71",
		"#12345":    "has 5 digits; must have six, as in #2ECC71",
		"#":         "has 0 digits; must have six, as in #2ECC71",
		"#2ECC7G":   "must have six digits of 0 to 9 and A to F, as in #2ECC71",
		"＃２ＥＣＣ７１":   "must be in plain characters: write #2ECC71",
		"２ＥＣＣ７１":    "must be in plain characters: write #2ECC71",
		"2ECC71":    "must begin with #: write #2ECC71",
		"FFF":       "must begin with # and have six digits, as in #2ECC71",
		"":          "must begin with # and have six digits, as in #2ECC71",
		"0x2ECC71":  "must begin with # and have six digits, as in #2ECC71",
	} {
		if diff := cmp.Diff(want, colors.Wrong(code)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", code, diff)
		}
	}
}

func TestAdvise(t *testing.T) {
	t.Parallel()
	var l check.List
	colors.Advise(&l, "prompt", "#2ECC71 beside #FFF, 2ECC71 and #FFF")
	want := []fal.Problem{
		{Field: "prompt", Value: `"#FFF"`, Message: "as a colour it is the short form, which prompts do not know: write #FFFFFF"},
		{Field: "prompt", Value: `"2ECC71"`, Message: "as a colour it must begin with #: write #2ECC71"},
	}
	if diff := cmp.Diff(want, l.Problems()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	var many strings.Builder
	for i := range 1000 {
		many.WriteString(" #a" + strconv.Itoa(1000+i))
	}
	var first check.List
	colors.Advise(&first, "prompt", many.String())
	if n := len(first.Problems()); n != 10 {
		t.Errorf("%d problems of a thousand bad codes, want 10", n)
	}
}

func TestRightCodesAllocateNothing(t *testing.T) {
	prompt := strings.Repeat("a mug in color #2ECC71, décor 2026, ", 50)
	if allocs := testing.AllocsPerRun(10, func() {
		var l check.List
		colors.Advise(&l, "prompt", prompt)
	}); allocs != 0 {
		t.Errorf("a right prompt costs %v allocations, want 0", allocs)
	}
}

// FuzzAll finds codes in any text: in order, apart, and the same when more text
// stands around.
func FuzzAll(f *testing.F) {
	for _, s := range []string{"#2ECC71", "＃２ＥＣＣ７１", "0x2ECC71", "color #123", "F#m7", "\xff#FFF\xff", "#", "2ECC71.png"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for c := range colors.All(text) {
			code := text[c.Start:c.End]
			if c.Start < last || utf8.RuneCountInString(code) < 4 || utf8.RuneCountInString(code) > 9 {
				t.Fatalf("%q: %q at %d", text, code, c.Start)
			}
			last = c.End
			_ = colors.Wrong(code)
		}
		if diff := cmp.Diff(found(text), found("so: "+text+" - and so on")); diff != "" {
			t.Fatalf("%q (-alone +inside):\n%s", text, diff)
		}
	})
}
