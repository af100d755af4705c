package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/falimage/falimage-go/fal"
)

// ReadImages returns the set of single pictures in a folder: NAME.png, NAME.jpg
// or NAME.webp, with their captions in NAME.txt and their masks in
// NAME_mask.png. Hidden files and folders inside are passed over; any other
// file is a problem that Pack reports, and so is a folder that cannot be read.
func ReadImages(fsys fs.FS) Set {
	return read(fsys, images, func(base string, has func(string) bool) (name, suffix string) {
		// Without the picture itself it is one that happens to be called so.
		if name, ok := strings.CutSuffix(base, "_mask"); ok && has(name) {
			return name, "_mask"
		}
		return base, ""
	})
}

// ReadPairs returns the set of pairs in a folder: NAME_start.png and
// NAME_end.png, further reference pictures in NAME_start2.png and so on, and
// the instruction in NAME.txt. The rest is as in [ReadImages].
func ReadPairs(fsys fs.FS) Set { return read(fsys, pairs, parts) }

// ReadLayers returns the set of stacks in a folder: the flat picture
// NAME_start.png, its layers NAME_end.png, NAME_end2.png and so on, and the
// caption in NAME.txt. The rest is as in [ReadImages].
func ReadLayers(fsys fs.FS) Set { return read(fsys, layers, parts) }

// maxCaption is the longest caption file that is read; longer ones are taken
// for something else.
const maxCaption = 64 << 10

// read returns the files of a folder as groups. Parts splits the name of a
// picture, given whether there is a picture of another name.
func read(fsys fs.FS, f form, parts func(base string, has func(string) bool) (name, suffix string)) Set {
	s := Set{form: f}
	files, err := fs.ReadDir(fsys, ".")
	if err != nil {
		s.err = fmt.Errorf("dataset: %w", err)
		return s
	}
	files = slices.DeleteFunc(files, func(file fs.DirEntry) bool { return file.IsDir() || isHidden(file.Name()) })
	pictures := make(map[string]bool)
	for _, file := range files {
		if ext := path.Ext(file.Name()); !isText(ext) {
			pictures[strings.TrimSuffix(file.Name(), ext)] = true
		}
	}
	has := func(base string) bool { return pictures[base] }
	byName := make(map[string]int)
	at := func(name string) *group {
		i, ok := byName[name]
		if !ok {
			i = len(s.groups)
			byName[name] = i
			s.groups = append(s.groups, group{name: name})
		}
		return &s.groups[i]
	}
	for _, file := range files { // sorted by name
		ext := path.Ext(file.Name())
		base := strings.TrimSuffix(file.Name(), ext)
		if isText(ext) {
			caption, err := readCaption(fsys, file.Name())
			if err != nil {
				s.strays = append(s.strays, stray{file.Name(), err.Error()})
				continue
			}
			at(base).caption = caption
			continue
		}
		name, suffix := parts(base, has)
		if name == "" {
			s.strays = append(s.strays, stray{file.Name(), "must be called NAME_start or NAME_end, with a number from 2 behind it for any further"})
			continue
		}
		g := at(name)
		g.members = append(g.members, member{suffix, fal.FS(fsys, file.Name())})
	}
	return s
}

// parts splits "mug_start2" into "mug" and "_start2". The name is "" where
// there is no such ending.
func parts(base string, _ func(string) bool) (name, suffix string) {
	i := strings.LastIndexByte(base, '_')
	if i < 0 {
		return "", ""
	}
	if kind, _ := number(base[i:]); kind == "" {
		return "", ""
	}
	return base[:i], base[i:]
}

// number splits "_start2" into "_start" and 2; without a number it is 1. The
// kind is "" for anything else.
func number(suffix string) (kind string, n int) {
	kind = strings.TrimRight(suffix, "0123456789")
	if kind != "_start" && kind != "_end" {
		return "", 0
	}
	digits := suffix[len(kind):]
	if digits == "" {
		return kind, 1
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 2 || digits[0] == '0' {
		return "", 0
	}
	return kind, n
}

// readCaption returns the text of a caption file, without the space around it.
func readCaption(fsys fs.FS, name string) (string, error) {
	f, err := fal.FS(fsys, name).Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCaption+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxCaption:
		return "", fmt.Errorf("is larger than %d bytes, so it is no caption", maxCaption)
	case !utf8.Valid(b):
		return "", errors.New("must be text in UTF-8")
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // the mark that some editors write
	return string(bytes.TrimSpace(b)), nil
}

func isText(ext string) bool { return strings.EqualFold(ext, ".txt") }

// isHidden reports whether a file is what file managers leave in folders.
func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.EqualFold(name, "Thumbs.db") || strings.EqualFold(name, "desktop.ini")
}
