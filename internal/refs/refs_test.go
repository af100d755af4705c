package refs_test

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/check"
	"github.com/falimage/falimage-go/internal/refs"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		prompt string
		files  int
		want   []string // the references without a file
	}{
		{"none", "a mug", 0, nil},
		{"in order", "@image1 wearing the outfit from @image2", 2, nil},
		{"letter case", "@Image1 and @IMAGE2 and @iMaGe3", 2, []string{"@iMaGe3"}},
		{"ten of nine", "@image10", 9, []string{"@image10"}},
		{"ten of ten", "@image10", 10, nil},
		{"zero", "@image0", 3, []string{"@image0"}},
		{"leading zero", "@image01 @image02", 1, []string{"@image02"}},
		{"no files", "@image1", 0, []string{"@image1"}},
		{"once each", "@image3 @image2 @image3", 1, []string{"@image3", "@image2"}},
		{"huge", "@image99999999999999999999", 9, []string{"@image99999999999999999999"}},
		{"two huge", "@image99999999999999999999 @image88888888888888888888", 9, []string{"@image99999999999999999999"}},
		{"no number", "@images, @image, @image 4 and @image_4", 0, nil},
		{"address", "write to me@image1.com or me_@image1.com or 1@image1.com", 0, nil},
		{"address with accent", "josé@image1.com", 0, nil},
		{"longer word", "@image1st, @image2nd, @image3_left, @image4é", 0, nil},
		{"punctuation", "(@image1)'s \"@image2\", @image3's @image4.", 3, []string{"@image4"}},
		{"joined references", "@image1@image2", 0, []string{"@image1", "@image2"}},
		{"chinese", "把@image1放到@image2里面", 1, []string{"@image2"}},
		{"thai", "วาง@image2ไว้", 1, []string{"@image2"}},
		{"emoji", "🧢@image2🧢", 1, []string{"@image2"}},
		{"wide digits", "@image１", 0, nil},
		{"json", `{"scene":"@image1 on a table","subjects":[{"description":"as in @image3"}]}`, 2, []string{"@image3"}},
		{"json escapes", `{"scene":"one\n@image2\t@image3\\n@image4\u00e9@image5\u3002@image6"}`, 1, []string{"@image2", "@image3", "@image6"}},
		{"bad escape", `\uZZZZ@image2 \u12@image3`, 1, nil},
		{"at the end", "see @image", 0, nil},
		{"broken utf-8", "\xff@image2\xff", 1, []string{"@image2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l check.List
			refs.Check(&l, "prompt", tt.prompt, tt.files)
			var got []string
			for _, p := range l.Problems() {
				ref, err := strconv.Unquote(p.Value)
				if p.Field != "prompt" || err != nil {
					t.Errorf("problem %+v: want field prompt and a quoted value", p)
				}
				got = append(got, ref)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("references without a file (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckMessages(t *testing.T) {
	t.Parallel()
	for files, want := range map[int]string{
		0: "refers to a file, and none is given",
		1: "refers to file 7; 1 is given",
		3: "refers to file 7; 3 are given",
	} {
		var l check.List
		refs.Check(&l, "prompt", "@image7", files)
		want := []fal.Problem{{Field: "prompt", Value: `"@image7"`, Message: want}}
		if diff := cmp.Diff(want, l.Problems()); diff != "" {
			t.Errorf("%d files (-want +got):\n%s", files, diff)
		}
	}
}

func TestUnmentioned(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		prompt string
		files  int
		want   []int
	}{
		{"none", "make it winter", 0, nil},
		{"the only one", "make it winter", 1, nil},
		{"all", "@image1 in the style of @Image2", 2, nil},
		{"some", "@image1 in the style of @image3", 4, []int{2, 4}},
		{"nothing at all", "combine", 2, []int{1, 2}},
		{"wording", "the cat of image 1, the hat of Image #2 and the mat of image3", 4, []int{4}},
		{"wording in a longer word", "images 1, pilgrimage 2", 2, []int{1, 2}},
		{"out of range", "@image0 @image3 @image1", 2, []int{2}},
		{"many", "@image20", 20, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, refs.Unmentioned(tt.prompt, tt.files)); diff != "" {
				t.Errorf("Unmentioned (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAdvise(t *testing.T) {
	t.Parallel()
	var l check.List
	refs.Advise(&l, "image_urls", "only @image2", 2)
	want := []fal.Problem{{Field: "image_urls[0]", Message: "the prompt never mentions @image1"}}
	if diff := cmp.Diff(want, l.Problems()); diff != "" {
		t.Errorf("Advise (-want +got):\n%s", diff)
	}
}

func TestValidPromptAllocatesNothing(t *testing.T) {
	prompt := strings.Repeat("@image1 wearing the outfit from @image2, ", 50)
	allocs := testing.AllocsPerRun(10, func() {
		var l check.List
		refs.Check(&l, "prompt", prompt, 2)
		refs.Advise(&l, "image_urls", prompt, 2)
	})
	if allocs != 0 {
		t.Errorf("a valid prompt costs %v allocations, want 0", allocs)
	}
}

func BenchmarkCheck(b *testing.B) {
	prompt := strings.Repeat("@image1 wearing the outfit from @image2, ", 10)
	b.ReportAllocs()
	b.SetBytes(int64(len(prompt)))
	for b.Loop() {
		var l check.List
		refs.Check(&l, "prompt", prompt, 2)
	}
}

// FuzzCheck compares with a regular expression, on text without the cases that
// it cannot express: escapes, and letters beyond ASCII.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"@image1 wearing @Image2", "me@image1.com", "@image0@image10", "把@image1放到",
		`{"a":"\n@image3\u00e9@image4"}`, "@image99999999999999999999", "@image1st image 2 image #3", "\xff@image1\xff", `\u@image1`,
	} {
		f.Add(s, 2)
	}
	plain := regexp.MustCompile(`(?i)(?:^|[^0-9a-z_])@image([0-9]+)(?:$|[^0-9a-z_])`)
	f.Fuzz(func(t *testing.T, prompt string, files int) {
		var l check.List
		refs.Check(&l, "prompt", prompt, files)
		shortened := false
		for _, p := range l.Problems() {
			if strings.HasSuffix(p.Value, "...") {
				shortened = true
				continue
			}
			if ref, err := strconv.Unquote(p.Value); err != nil || !strings.Contains(prompt, ref) {
				t.Fatalf("%q is not in the prompt %q", p.Value, prompt)
			}
		}
		files = min(max(files, 0), 1000)
		missed := refs.Unmentioned(prompt, files)
		if !slices.IsSorted(missed) || len(missed) > files {
			t.Fatalf("Unmentioned(%q, %d) = %v", prompt, files, missed)
		}
		if shortened || strings.ContainsFunc(prompt, func(r rune) bool { return r >= 0x80 || r == '\\' }) {
			return
		}
		var want []string
		for at := 0; at < len(prompt); {
			m := plain.FindStringSubmatchIndex(prompt[at:])
			if m == nil {
				break
			}
			n, err := strconv.Atoi(prompt[at+m[2] : at+m[3]])
			if err != nil {
				n = math.MaxInt
			}
			if s := strconv.Itoa(n); n == 0 || n > files {
				if !slices.Contains(want, s) {
					want = append(want, s)
				}
			}
			at += m[3] // what follows may be the character before the next
		}
		var got []string
		var again check.List
		refs.Check(&again, "prompt", prompt, files)
		for _, p := range again.Problems() {
			digits := strings.Trim(p.Value, `"@imageIMAGE`)
			n, err := strconv.Atoi(digits)
			if err != nil {
				n = math.MaxInt
			}
			got = append(got, strconv.Itoa(n))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q with %d files (-want +got):\n%s", prompt, files, diff)
		}
	})
}
