package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
)

// defaultName is the template of file names where none is given.
const defaultName = "{key}{-n}{ext}"

// nameFields are what a template may have.
var nameFields = []string{"key", "n", "-n", "ext", "endpoint", "id"}

// name returns the name of file i of a result, with slashes.
func (r *Runner) name(row *Row, m fal.Media, i int) string {
	minus := ""
	if i > 0 {
		minus = "-" + strconv.Itoa(i+1)
	}
	name, _ := fill(r.template(), func(field string) (string, bool) {
		switch field {
		case "key":
			return plain(row.Key), true
		case "n":
			return strconv.Itoa(i + 1), true
		case "-n":
			return minus, true
		case "ext":
			return extension(m), true
		case "endpoint":
			return plain(row.Endpoint), true
		}
		return plain(row.RequestID), true
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
	name, err := fill(template, func(field string) (string, bool) {
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

// fill fills a template: a field is a name in braces, and "{{" is a brace.
func fill(template string, value func(field string) (string, bool)) (string, error) {
	var b strings.Builder
	for rest := template; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if b.WriteString(before); !found {
			break
		}
		if strings.HasPrefix(after, "{") {
			b.WriteByte('{')
			rest = after[1:]
			continue
		}
		field, end, closed := strings.Cut(after, "}")
		if !closed {
			return "", fmt.Errorf("at column %d a brace is opened and not closed; write {{ for a brace", len(template)-len(after))
		}
		text, ok := value(field)
		if !ok {
			return "", fmt.Errorf("at column %d there is an unknown field {%.60s}", len(template)-len(after), field)
		}
		b.WriteString(text)
		rest = end
	}
	return b.String(), nil
}

// plain returns a text as a part of a file name: what is no letter, digit, dot,
// hyphen or underscore is replaced, and a sum then tells it from others.
func plain(s string) string {
	const longest = 100
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
	name = strings.TrimLeft(name, ".")
	if len(name) > longest {
		name = name[:longest]
	}
	if name != s {
		name += "-" + shortSum(s)
	}
	return name
}

// shortSum returns a short sum of a text.
func shortSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// extension returns that of a file of a result, with its dot.
func extension(m fal.Media) string {
	switch m := m.(type) {
	case fal.Image:
		return m.Extension()
	case fal.OutputFile:
		names := []string{m.FileName}
		if u, err := url.Parse(m.URL); err == nil {
			names = append(names, u.Path)
		}
		for _, name := range names {
			if e := path.Ext(name); len(e) > 1 && len(e) < 16 && plain(e[1:]) == e[1:] {
				return e
			}
		}
	}
	return ".bin"
}
