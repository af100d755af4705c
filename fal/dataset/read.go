package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

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
// picture, given whether there is a picture of another name, in small letters or
// capitals.
func read(fsys fs.FS, f form, parts func(base string, has func(string) bool) (name, suffix string)) Set {
	files, dirs, found := list(fsys)
	s := Set{form: f, folder: found}
	pictures := make(map[string]bool)
	called := false // whether any file is called a picture
	for _, file := range files {
		if base, ext := split(file); !isText(ext) {
			pictures[fold(base)] = true
			called = called || pictureName.MatchString(file)
		}
	}
	has := func(base string) bool { return pictures[fold(base)] }
	groups, texts := make(map[string]*group), make(map[string]bool)
	at := func(name string) *group {
		if groups[name] == nil {
			groups[name] = &group{name: name}
		}
		return groups[name]
	}
	for _, file := range files { // sorted by name
		base, ext := split(file)
		if isText(ext) {
			caption, err := readCaption(fsys, file)
			if err == nil && texts[base] {
				err = errors.New("is a second caption for " + base)
			}
			if err != nil {
				s.folder.stray(file, err)
				at(base).refused = true
				continue
			}
			at(base).caption, texts[base] = caption, true
			continue
		}
		name, suffix := parts(base, has)
		if name == "" {
			s.folder.stray(file, errors.New("must be called NAME_start or NAME_end, with a number from 2 behind it for any further"))
			continue
		}
		at(name).members = append(at(name).members, member{suffix, fal.FS(fsys, file)})
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if g := groups[name]; len(g.members) > 0 || !g.refused {
			s.groups = append(s.groups, *g)
		}
	}
	if !called {
		s.folder.inside = inside(fsys, dirs)
	}
	return s
}

// list returns the files and folders in a folder by name, without what is
// hidden, and what is wrong with the others.
func list(fsys fs.FS) (files, dirs []string, f folder) {
	defer catch(&f.err)
	if v := reflect.ValueOf(fsys); v.Kind() == reflect.String {
		f.name = v.String() // what os.DirFS makes; its errors do not name it
	}
	if fsys == nil {
		f.err = errors.New("none is given")
		return nil, nil, f
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		f.err = err
		return nil, nil, f
	}
	for _, entry := range entries {
		name, mode := entry.Name(), entry.Type()
		if isHidden(name) {
			continue
		}
		if mode&fs.ModeSymlink != 0 {
			info, err := fs.Stat(fsys, name)
			if err != nil {
				f.stray(name, err)
				continue
			}
			mode = info.Mode()
		}
		switch {
		case mode.IsDir():
			dirs = append(dirs, name)
		case mode.IsRegular():
			files = append(files, name)
		case mode&fs.ModeNamedPipe != 0:
			f.stray(name, errors.New("is a named pipe and no file")) // and to open it may take for ever
		default:
			f.stray(name, errors.New("is a device and no file"))
		}
	}
	return files, dirs, f
}

// inside returns which folders have pictures, by the names of their files: of
// the first 100 folders the first 3 that do.
func inside(fsys fs.FS, dirs []string) (found []string) {
	var err error // says less than that the set has no pictures
	defer catch(&err)
	for _, dir := range dirs[:min(len(dirs), 100)] {
		entries, _ := fs.ReadDir(fsys, dir) // it need not be read for what it is
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !isHidden(e.Name()) && pictureName.MatchString(e.Name()) }) {
			found = append(found, dir)
		}
	}
	return found[:min(len(found), 3)]
}

// stray tells of a file that cannot be used.
func (f *folder) stray(name string, err error) {
	f.strays = append(f.strays, unreadable(name, "", err))
}

// unreadable is the problem that a file or folder cannot be read.
func unreadable(field, value string, err error) fal.Problem {
	message := err.Error()
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == "." {
		message = "cannot be read: " + path.Err.Error() // the folder, seen from inside
	}
	return fal.Problem{Field: field, Value: value, Message: message, Err: err}
}

// split returns the name of a file without its extension, as it is written
// where letters and accents are one, and its extension.
func split(file string) (base, ext string) {
	ext = path.Ext(file)
	return norm.NFC.String(strings.TrimSuffix(file, ext)), ext
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
func readCaption(fsys fs.FS, name string) (caption string, err error) {
	defer catch(&err)
	f, err := open(fal.FS(fsys, name))
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
