package flux_test

import (
	"errors"
	"fmt"
	"image"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

func ExampleRegions() {
	prompt, err := flux.Regions{
		{ID: "cat_1", Box: flux.Box{Top: 400, Left: 100, Bottom: 900, Right: 450}, Desc: "a tabby cat, asleep"},
		{ID: "sign_1", Box: flux.Box{Top: 50, Left: 600, Bottom: 250, Right: 950}, Desc: `a sign that reads "OPEN"`},
	}.Prompt("<cat_1> on a windowsill, above it <sign_1>.", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(prompt)
	// The boxes were drawn for this ratio: flux.Image3{Prompt: prompt, AspectRatio: flux.Ratio3x2}
	// Output:
	// <cat_1> on a windowsill, above it <sign_1>.
	//
	// [{"id":"cat_1","bbox":[400,100,900,450],"desc":"a tabby cat, asleep"},{"id":"sign_1","bbox":[50,600,250,950],"desc":"a sign that reads \"OPEN\""}]
}

// A region of a reference is counted from 0, and moves if its boxes differ.
func TestRegionsOfReferences(t *testing.T) {
	t.Parallel()
	from := flux.BoxOf(image.Rect(100, 50, 300, 150), image.Pt(1000, 500))
	got, err := flux.Regions{
		{ID: "mug_1", Reference: 2, From: from, Box: flux.Box{Top: 500, Left: 0, Bottom: 1000, Right: 500}, Desc: "the mug <3"},
	}.Prompt("Put the mug of image 2 on the table. ", 2)
	want := "Put the mug of image 2 on the table.\n\n" +
		`[{"id":"mug_1","kind":"anchor","from":"ref_image_1","src_bbox":[100,100,300,300],"tgt_bbox":[500,0,1000,500],"desc":"the mug <3"}]`
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := (flux.Regions)(nil).Prompt("plain", 0); got != "plain" || err != nil {
		t.Errorf("without regions: %q, %v", got, err)
	}
}

func TestRegionsRefused(t *testing.T) {
	t.Parallel()
	box := flux.Box{Top: 0, Left: 0, Bottom: 10, Right: 10}
	for _, tt := range []struct {
		name     string
		regions  flux.Regions
		text     string
		pictures int
		want     []string // the fields
	}{
		{"no text", flux.Regions{{ID: "a_1", Box: box, Desc: "x", Reference: 1, From: box}}, " ", 1, []string{"prompt"}},
		{"ids", flux.Regions{{ID: "Cat_1", Box: box, Desc: "x"}, {ID: "cat", Box: box, Desc: "x"}, {ID: "cat 1", Box: box, Desc: "x"}, {ID: "", Box: box, Desc: "x"}}, "y", 0,
			[]string{"regions[0].id", "regions[1].id", "regions[2].id", "regions[3].id"}},
		{"twice", flux.Regions{{ID: "cat_1", Box: box, Desc: "x"}, {ID: "cat_1", Box: box, Desc: "y"}}, "<cat_1>", 0, []string{"regions[1].id"}},
		{"not in the prompt", flux.Regions{{ID: "cat_1", Box: box, Desc: "x"}}, "cat_1", 0, []string{"regions[0].id"}},
		{"not among the regions", flux.Regions{{ID: "cat_1", Box: box, Desc: "x"}}, "<cat_1> <dog_1> <dog_1> <b>", 0, []string{"prompt"}},
		{"no description", flux.Regions{{ID: "cat_1", Box: box}}, "<cat_1>", 0, []string{"regions[0].desc"}},
		{"outside", flux.Regions{{ID: "cat_1", Box: flux.Box{Top: -1, Bottom: 5, Right: 5}, Desc: "x"}, {ID: "cat_2", Box: flux.Box{Bottom: 5, Right: 1001}, Desc: "x"}}, "<cat_1><cat_2>", 0,
			[]string{"regions[0].box", "regions[1].box"}},
		{"no area", flux.Regions{{ID: "cat_1", Desc: "x"}, {ID: "cat_2", Box: flux.Box{Top: 9, Bottom: 9, Right: 1}, Desc: "x"}}, "<cat_1><cat_2>", 0,
			[]string{"regions[0].box", "regions[1].box"}},
		{"no such picture", flux.Regions{{ID: "a_1", Box: box, From: box, Reference: 2, Desc: "x"}, {ID: "a_2", Box: box, From: box, Reference: -1, Desc: "x"}}, "y", 1,
			[]string{"regions[0].reference", "regions[1].reference"}},
		{"from where", flux.Regions{{ID: "a_1", Box: box, Reference: 1, Desc: "x"}, {ID: "a_2", Box: box, From: box, Desc: "x"}}, "<a_2>", 1,
			[]string{"regions[0].from", "regions[1].from"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.regions.Prompt(tt.text, tt.pictures)
			invalid, ok := errors.AsType[*fal.ValidationError](err)
			if !ok || !fal.NotSent(err) {
				t.Fatalf("%T %v", err, err)
			}
			var fields []string
			for _, p := range invalid.Problems {
				fields = append(fields, p.Field)
			}
			if diff := cmp.Diff(tt.want, fields); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestBoxOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rect image.Rectangle
		size image.Point
		want flux.Box
	}{
		{image.Rect(0, 0, 640, 480), image.Pt(640, 480), flux.Box{Bottom: 1000, Right: 1000}},
		{image.Rect(320, 120, 640, 240), image.Pt(640, 480), flux.Box{Top: 250, Left: 500, Bottom: 500, Right: 1000}},
		{image.Rect(-50, -50, 9000, 240), image.Pt(640, 480), flux.Box{Bottom: 500, Right: 1000}},
		{image.Rect(900, 900, 999, 999), image.Pt(640, 480), flux.Box{}},
		{image.Rect(1, 1, 2, 2), image.Pt(3, 3), flux.Box{Top: 333, Left: 333, Bottom: 667, Right: 667}},
		{image.Rect(0, 0, 1, 1), image.Pt(1, 1), flux.Box{Bottom: 1000, Right: 1000}},
		{image.Rect(0, 0, 1, 1), image.Point{}, flux.Box{}},
		{image.Rect(0, 0, 1, 1), image.Pt(0, 480), flux.Box{}},
		{image.Rect(0, 0, 1, 1), image.Pt(640, 0), flux.Box{}},
	} {
		if got := flux.BoxOf(tt.rect, tt.size); got != tt.want {
			t.Errorf("BoxOf(%v, %v) = %v, want %v", tt.rect, tt.size, got, tt.want)
		}
	}
}

// Regions are drawn for a shape: leaving it to the model is doubted.
func TestRegionsDoubtAuto(t *testing.T) {
	t.Parallel()
	prompt, err := flux.Regions{{ID: "cat_1", Box: flux.Box{Bottom: 10, Right: 10}, Desc: "a cat"}}.Prompt("<cat_1>", 0)
	if err != nil {
		t.Fatal(err)
	}
	for r, want := range map[flux.Image3]int{
		{Prompt: prompt}: 1,
		{Prompt: prompt, AspectRatio: flux.RatioAuto}: 1,
		{Prompt: prompt, AspectRatio: flux.Ratio3x2}:  0,
		{Prompt: "a cat"}: 0,
		{Prompt: "a cat", Resolution: flux.Resolution512}: 1,
	} {
		if got := r.Usage().Doubts; len(got) != want {
			t.Errorf("%+v: doubts %v, want %d", r, got, want)
		}
	}
}
