package body

import (
	"strconv"

	"github.com/falimage/falimage-go/fal"
)

// FileFunc is called with each file of a request and its JSON path.
type FileFunc = func(field string, file fal.File) (fal.File, error)

// MapItems passes the files of each item of a list through f, with the item's
// own method, into a new list.
func MapItems[T any](field string, items []T, f FileFunc, method func(item T, field string, f FileFunc) (T, error)) ([]T, error) {
	if len(items) == 0 {
		return items, nil
	}
	out := make([]T, len(items))
	for i, item := range items {
		var err error
		if out[i], err = method(item, field+"["+strconv.Itoa(i)+"]", f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Given returns the files that are given at all.
func Given(files ...fal.File) []fal.File {
	given := make([]fal.File, 0, len(files))
	for _, f := range files {
		if !f.IsZero() {
			given = append(given, f)
		}
	}
	return given
}
