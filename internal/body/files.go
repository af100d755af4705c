package body

import (
	"strconv"

	"github.com/falimage/falimage-go/fal"
)

// MapFile passes a file through f, if it is given at all.
func MapFile(field string, file fal.File, f func(field string, file fal.File) (fal.File, error)) (fal.File, error) {
	if file.IsZero() {
		return file, nil
	}
	return f(field, file)
}

// MapFiles passes each file of a list through f into a new list.
func MapFiles(field string, files []fal.File, f func(field string, file fal.File) (fal.File, error)) ([]fal.File, error) {
	if len(files) == 0 {
		return files, nil
	}
	out := make([]fal.File, len(files))
	for i, file := range files {
		var err error
		if out[i], err = MapFile(field+"["+strconv.Itoa(i)+"]", file, f); err != nil {
			return nil, err
		}
	}
	return out, nil
}
