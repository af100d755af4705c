package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/router/studio"
)

// picker returns the way to pick drafts that a flag names.
func picker(client *fal.Client, w io.Writer, by string, d studio.Drafts) (studio.Pick, error) {
	n := d.Finals
	switch by {
	case "first":
		return studio.ByScore(n, func(_ context.Context, v studio.Variant) (float64, error) { return -float64(v.Index), nil }), nil
	case "random":
		return studio.ByScore(n, func(context.Context, studio.Variant) (float64, error) { return rand.Float64(), nil }), nil
	case "sharpness":
		return byPicture(client, w, by, n, sharpness), nil
	case "contrast":
		return byPicture(client, w, by, n, contrast), nil
	}
	numbers, err := numbers(by)
	switch {
	case err != nil:
		return nil, err
	case len(numbers) > d.Finals || slices.Max(numbers) >= d.Count:
		// It is said before the drafts are paid for.
		return nil, fmt.Errorf("-pick %s: there are %d drafts, the first is number 0, and %d finals", by, d.Count, d.Finals)
	}
	return byNumber(numbers), nil
}

// numbers reads a list such as "0,3,5".
func numbers(list string) ([]int, error) {
	var out []int
	for _, part := range demo.List(list) {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("-pick %q: must be sharpness, contrast, first, random, or numbers such as 0,3,5", list)
		}
		if slices.Contains(out, n) {
			return nil, fmt.Errorf("-pick %s: draft %d is there twice", list, n)
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return nil, errors.New("-pick: is empty")
	}
	return out, nil
}

// byNumber picks the drafts with the given numbers, if they succeeded.
func byNumber(numbers []int) studio.Pick {
	return func(_ context.Context, variants []studio.Variant) ([]studio.Variant, error) {
		var out []studio.Variant
		for _, n := range numbers {
			i := slices.IndexFunc(variants, func(v studio.Variant) bool { return v.Index == n })
			if i < 0 {
				return nil, fmt.Errorf("there is no draft %d: it failed, or there are fewer", n)
			}
			out = append(out, variants[i])
		}
		return out, nil
	}
}

// byPicture picks the n drafts with the highest score, and prints the scores.
func byPicture(client *fal.Client, w io.Writer, name string, n int, score func(image.Image) float64) studio.Pick {
	return studio.ByScore(n, func(ctx context.Context, v studio.Variant) (float64, error) {
		m, err := client.Decode(ctx, v.Image)
		if err != nil {
			return 0, err
		}
		points := score(m)
		fmt.Fprintf(w, "draft %d by %s: %s %.2f\n", v.Index, v.Model.Title, name, points)
		return points, nil
	})
}

// grid is the number of points to each side at which pictures are looked at:
// enough to compare drafts, whatever their size.
const grid = 256

// light returns the brightness of a picture, 0 to 255, on a grid of points.
func light(m image.Image) *[grid][grid]float64 {
	var out [grid][grid]float64
	b := m.Bounds()
	for y := range grid {
		for x := range grid {
			at := m.At(b.Min.X+x*b.Dx()/grid, b.Min.Y+y*b.Dy()/grid)
			if g, ok := color.GrayModel.Convert(at).(color.Gray); ok {
				out[y][x] = float64(g.Y)
			}
		}
	}
	return &out
}

// sharpness is the mean difference between points that are neighbours.
func sharpness(m image.Image) float64 {
	l, sum := light(m), 0.0
	for y := range grid - 1 {
		for x := range grid - 1 {
			sum += math.Abs(l[y][x]-l[y][x+1]) + math.Abs(l[y][x]-l[y+1][x])
		}
	}
	return sum / (2 * (grid - 1) * (grid - 1))
}

// contrast is the standard deviation of the brightness.
func contrast(m image.Image) float64 {
	var sum, squares float64
	for _, row := range light(m) {
		for _, v := range row {
			sum += v
			squares += v * v
		}
	}
	mean := sum / (grid * grid)
	return math.Sqrt(max(0, squares/(grid*grid)-mean*mean))
}
