package fal

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal/internal/naming"
	"github.com/falimage/falimage-go/fal/internal/transport"
)

// inspection is what was found out about the files of a request before it is
// sent.
type inspection struct {
	local    map[File]summary
	byPath   map[string]File // local ones
	problems []Problem       // of files that fal cannot use
	doubts   []Problem
}

// inspect reads the local files of a request. The error is that of the context.
func inspect(ctx context.Context, r any) (*inspection, error) {
	in := &inspection{}
	_, unfit := eachFile(r, func(path string, f File) File {
		if err := in.look(ctx, path, f); err != nil && ctx.Err() == nil {
			in.problems = append(in.problems, Problem{Field: path, Value: f.String(), Message: err.Error(), Err: err})
		}
		return f
	})
	in.problems = append(in.problems, unfit...)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(in.byPath) > 0 {
		in.lookAtMasks()
	}
	return in, nil
}

// look looks at one file. The error says why it is not fit to be sent.
func (in *inspection) look(ctx context.Context, path string, f File) error {
	if err := f.Check(); err != nil || ctx.Err() != nil {
		return err
	}
	var kind string
	switch {
	case f.local != nil:
		s, known := in.local[f]
		if !known {
			var err error
			if s, err = f.summarize(ctx); err != nil {
				return err
			}
			if in.local == nil {
				in.local, in.byPath = make(map[File]summary), make(map[string]File)
			}
			in.local[f] = s
		}
		in.byPath[path] = f
		kind = s.contentType
	case isDataURL(f.url):
		_, content, err := decodeDataURL(f.url)
		if err != nil {
			return err
		}
		if len(content) == 0 {
			return errEmpty
		}
		kind = naming.Type("", content[:min(len(content), naming.Head)])
	default:
		return nil
	}
	problem, doubt := fit(path, kind)
	if problem != "" {
		return unfitError(problem)
	}
	if doubt != "" {
		in.doubts = append(in.doubts, Problem{Field: path, Value: f.String(), Message: doubt})
	}
	return nil
}

// unfitError says why a file is not fit for its field.
type unfitError string

func (e unfitError) Error() string { return string(e) }

// maxMask is how large a mask is at most that is looked into: 64 megapixels, in
// 100 MiB.
const (
	maxMask      = 64 << 20
	maxMaskBytes = 100 << 20
)

// lookAtMasks holds the masks of a request against their pictures, where both
// are local.
func (in *inspection) lookAtMasks() {
	for _, path := range sortedKeys(in.byPath) {
		if !strings.HasSuffix(path, "mask_url") {
			continue
		}
		mask := in.byPath[path]
		width, height, err := mask.Dimensions()
		if err != nil {
			continue
		}
		note := func(list *[]Problem, message string) {
			*list = append(*list, Problem{Field: path, Value: fmt.Sprintf("%dx%d", width, height), Message: message})
		}
		picture, ok := in.byPath[strings.TrimSuffix(path, "mask_url")+"image_url"]
		if w, h, err := picture.Dimensions(); ok && err == nil && (w != width || h != height) {
			note(&in.doubts, fmt.Sprintf("the mask should have the size of the picture, %dx%d", w, h))
		}
		if ok && turn(picture) != turn(mask) {
			note(&in.doubts, "the mask and the picture are turned in different ways by their metadata: they may not lie over one another; give both with File.Upright")
		}
		if width > maxMask/max(height, 1) {
			continue
		}
		switch painted(mask) {
		case inAlpha:
			note(&in.problems, "the mask is black all over: what is painted in its alpha channel alone does not count; paint it in white on black")
		case nowhere:
			note(&in.problems, "the mask is black all over: nothing would be changed; paint it in white on black")
		}
	}
}

// Where a mask is painted.
const (
	inColour = iota
	inAlpha
	nowhere
)

// painted looks into a mask. One that cannot be read passes.
func painted(f File) (where int) {
	r, err := f.Open()
	if err != nil {
		return inColour
	}
	defer r.Close()
	m, _, err := image.Decode(io.LimitReader(r, maxMaskBytes))
	if err != nil {
		return inColour
	}
	b := m.Bounds()
	_, _, _, corner := m.At(b.Min.X, b.Min.Y).RGBA()
	where = nowhere
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			red, green, blue, alpha := m.At(x, y).RGBA()
			if max(red, green, blue) > 0 {
				return inColour
			}
			if alpha != corner {
				where = inAlpha
			}
		}
	}
	return where
}

// unreachable returns a doubt about each address in the body of a request that
// fal cannot reach from where it is.
func unreachable(body []byte) (doubts []Problem) {
	if !slices.ContainsFunc([]string{`"http://`, `"https://`}, func(s string) bool { return strings.Contains(string(body), s) }) {
		return nil
	}
	var value any
	if json.Unmarshal(body, &value) != nil {
		return nil
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case string:
			if private(v) {
				doubts = append(doubts, Problem{Field: path, Value: bareURL(v), Message: "is an address in a private network, which fal cannot reach"})
			}
		case []any:
			for i, item := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), item)
			}
		case map[string]any:
			for _, key := range sortedKeys(v) {
				walk(join(path, key), v[key])
			}
		}
	}
	walk("", value)
	return doubts
}

// private reports whether a text is a URL at an address that only this network
// knows.
func private(s string) bool {
	if !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && transport.PrivateHost(u.Hostname())
}
