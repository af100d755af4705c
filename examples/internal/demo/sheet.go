package demo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/falimage/falimage-go/router/sheet"
)

// List reads a list with commas, such as the value of a flag.
func List(text string) []string {
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// SaveSheet writes a contact sheet as a web page and as a PNG, to a path
// without its extension, and says so.
func SaveSheet(w io.Writer, s *sheet.Sheet, path string) error {
	for _, form := range []struct {
		extension string
		write     func(io.Writer) error
	}{{".html", s.WriteHTML}, {".png", s.WritePNG}} {
		f, err := os.Create(path + form.extension)
		if err != nil {
			return err
		}
		err = errors.Join(form.write(f), f.Close())
		if errors.Is(err, sheet.ErrTooTall) {
			fmt.Fprintln(w, "there are too many pictures for one PNG: see the web page")
			return os.Remove(path + form.extension)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "contact sheet: %s\n", path+form.extension)
	}
	return nil
}
