package batch

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/internal/naming"
)

// defaultName is the template of file names where none is given.
const defaultName = "{key}{-n}{ext}"

// nameFields are what a template may have.
var nameFields = []string{"key", "n", "-n", "ext", "endpoint", "id"}

// name returns the name of file i of a result, which begins so, with slashes.
func (r *Runner) name(row *Row, m fal.Media, i int, head []byte) string {
	minus := ""
	if i > 0 {
		minus = "-" + strconv.Itoa(i+1)
	}
	name, _ := naming.Fill(r.template(), func(field string) (string, bool) {
		switch field {
		case "key":
			return naming.Plain(row.Key), true
		case "n":
			return strconv.Itoa(i + 1), true
		case "-n":
			return minus, true
		case "ext":
			_, picture := m.(fal.Image)
			return naming.ExtensionOf(m.Extension(), picture, head), true
		case "endpoint":
			return naming.Plain(row.Endpoint), true
		}
		return naming.Plain(row.RequestID), true
	})
	return path.Clean(name)
}

// template returns the template of names.
func (r *Runner) template() string {
	if r.Name == "" {
		return defaultName
	}
	return r.Name
}

// checkName returns what is wrong with a template of names.
func checkName(template string) error {
	fields := make(map[string]bool)
	name, err := naming.Fill(template, func(field string) (string, bool) {
		fields[field] = true
		return "x", strings.Contains(" "+strings.Join(nameFields, " ")+" ", " "+field+" ")
	})
	switch {
	case err != nil:
		return fmt.Errorf("batch: Runner.Name %q: %w; the fields are {%s}", template, err, strings.Join(nameFields, "}, {"))
	case path.IsAbs(name) || strings.Contains(name, `\`) || strings.HasPrefix(path.Clean(name), "..") || strings.HasSuffix(name, "/"):
		return fmt.Errorf("batch: Runner.Name %q: must be a name within Runner.Dir, with slashes", template)
	case !fields["key"] && !fields["id"]:
		return fmt.Errorf("batch: Runner.Name %q: must have {key} or {id}, else all files have the same name", template)
	case !fields["n"] && !fields["-n"]:
		return fmt.Errorf("batch: Runner.Name %q: must have {n} or {-n}, which tell the pictures of one result apart", template)
	}
	return nil
}
