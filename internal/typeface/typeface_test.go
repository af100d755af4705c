package typeface_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/internal/typeface"
)

// Text is broken between words, and in words that are too wide; what does not
// fit is marked; letters that the font lacks are counted.
func TestWrap(t *testing.T) {
	t.Parallel()
	f := typeface.New(false, 20)
	for _, tt := range []struct {
		name, text string
		width      string // that of this text
		lines      int
		want       []string
	}{
		{"short", "a red fox", "a red fox", 2, []string{"a red fox"}},
		{"between words", "a red fox in the snow", "a red fox in", 2, []string{"a red fox in", "the snow"}},
		{"paragraphs", "a red\nfox", "a red fox", 2, []string{"a red", "fox"}},
		{"long word", "aaaaaa", "aaaa", 2, []string{"aaaa", "aa"}},
		{"too long", "a red fox in the snow", "a red fox", 1, []string{"a red f…"}},
		{"two letters", "茶馆", "a red fox", 1, []string{"□□"}},
		{"more letters", "清风茶馆 sign", strings.Repeat("w", 20), 1, []string{"[4 characters: Han] sign"}},
	} {
		if diff := cmp.Diff(tt.want, f.Wrap(tt.text, f.Width(tt.width), tt.lines)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}
