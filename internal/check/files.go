package check

import (
	"strings"

	"github.com/falimage/falimage-go/fal"
)

// File refuses what is neither a local file nor a usable URL.
func (l *List) File(field string, file fal.File) {
	if file.IsZero() {
		return
	}
	if err := file.Check(); err != nil {
		l.Add(field, file.String(), err.Error())
	}
}

// RequiredFile is File for a field that must be given.
func (l *List) RequiredFile(field string, file fal.File) {
	if file.IsZero() {
		l.Add(field, "", "is required")
		return
	}
	l.File(field, file)
}

// Files refuses fewer than least or more than most files (0: any number), and
// any file that is neither local nor a usable URL.
func (l *List) Files(field string, files []fal.File, least, most int) {
	l.Count(field, len(files), least, most)
	for i, f := range files {
		if err := f.Check(); err != nil {
			l.Add(At(field, i), f.String(), err.Error())
		}
	}
}

// DataURL refuses a good file that is not given as a data URL.
func (l *List) DataURL(field string, file fal.File) {
	if file.IsZero() || file.Check() != nil {
		return
	}
	if u, ok := file.URL(); !ok || !strings.HasPrefix(u, "data:") {
		l.Add(field, file.String(), "must be a data URL, as fal.URL(\"data:image/jpeg;base64,...\"): uploaded files are refused here")
	}
}
