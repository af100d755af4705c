package main

import (
	"context"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// The article's month: 7,000 drafts and 3,000 finals.
func TestPlan(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	task := router.Task{Prompt: "a photo of a mug", Size: "square_hd", Only: []string{"flux.Pro2"}}
	if err := showPlan(&out, task, studio.Drafts{Count: 7000, Finals: 3000, Models: []string{"flux.Schnell"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"$21.00", "$90.00", "$111.00", "alone would cost $300.00"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

func TestPicker(t *testing.T) {
	t.Parallel()
	// Draft 1 failed.
	variants := []studio.Variant{{Index: 0}, {Index: 2}, {Index: 3}}
	for _, tt := range []struct {
		by   string
		want []int
		bad  string // in the error
	}{
		{"first", []int{0, 2}, ""},
		{"0, 3", []int{0, 3}, ""},
		{"2", []int{2}, ""},
		{"1", nil, "no draft 1"},
		{"0,2,3", nil, "2 finals"},
		{"4", nil, "4 drafts"},
		{"-1", nil, "numbers such as"},
		{"best", nil, "numbers such as"},
		{",", nil, "empty"},
	} {
		var got []int
		pick, err := picker(nil, io.Discard, tt.by, studio.Drafts{Count: 4, Finals: 2})
		if err == nil {
			var picked []studio.Variant
			picked, err = pick(t.Context(), variants)
			for _, v := range picked {
				got = append(got, v.Index)
			}
		}
		switch {
		case tt.bad == "" && err != nil, tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad)):
			t.Errorf("%s: %v", tt.by, err)
		case !slices.Equal(got, tt.want):
			t.Errorf("%s: picked %v, want %v", tt.by, got, tt.want)
		}
	}
}

// A checkered picture is sharper than a plain one, and has more contrast than
// a pale one, whatever the size.
func TestScores(t *testing.T) {
	t.Parallel()
	board := func(size int, dark, bright uint8) image.Image {
		m := image.NewGray(image.Rect(5, 5, 5+size, 5+size))
		for y := range size {
			for x := range size {
				m.SetGray(5+x, 5+y, color.Gray{dark})
				if (x*16/size+y*16/size)%2 == 0 {
					m.SetGray(5+x, 5+y, color.Gray{bright})
				}
			}
		}
		return m
	}
	for _, size := range []int{64, 512} {
		plain, pale, strong := board(size, 90, 90), board(size, 120, 140), board(size, 0, 255)
		for name, score := range map[string]func(image.Image) float64{"sharpness": sharpness, "contrast": contrast} {
			a, b, c := score(plain), score(pale), score(strong)
			if a != 0 || b <= a || c <= b {
				t.Errorf("%s at %d pixels: plain %.2f, pale %.2f, strong %.2f", name, size, a, b, c)
			}
		}
		if got := contrast(strong); got < 127 || got > 128 {
			t.Errorf("contrast %.2f of black and white", got)
		}
	}
}

func TestPaint(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	folder := filepath.Join(t.TempDir(), "out")
	task := router.Task{Prompt: "a photo of a mug", Size: "square"}
	var out strings.Builder
	if err := paint(t.Context(), &out, srv.Client(), true, task, studio.Drafts{Count: 3, Finals: 2}, "contrast", folder); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"What it will cost:", "draft 2 by", "for 3 drafts and 2 finals", "contact sheet:"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	finals, err := filepath.Glob(filepath.Join(folder, "final-*"))
	if err != nil || len(finals) != 2 {
		t.Errorf("finals %v, %v", finals, err)
	}
	for _, name := range []string{"drafts.html", "drafts.png"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The sheet has a command line that makes the same drafts again.
func TestAgain(t *testing.T) {
	t.Parallel()
	made := &studio.Drafted{Variants: []studio.Variant{{Index: 2, Attempt: studio.Attempt{Seed: new(uint64(44))}}}}
	task := router.Task{Prompt: "a fox's den", Size: "square", Only: []string{"flux.Pro2"}}
	want := `go run ./examples/draftfinal -drafts 3 -finals 2 -size square -seed 42 -final-models 'flux.Pro2' -prompt 'a fox'\''s den' -pick`
	if got := again(task, studio.Drafts{Count: 3, Finals: 2}, made); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What is too dear is not begun.
func TestPaintNothing(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	task := router.Task{Prompt: "a photo of a mug", MaxPrice: pricing.Cent / 10}
	err := paint(context.Background(), io.Discard, srv.Client(), true, task, studio.Drafts{Count: 3}, "first", t.TempDir())
	if err == nil || srv.Ledger().Posts != 0 {
		t.Errorf("%v, %d requests", err, srv.Ledger().Posts)
	}
}
