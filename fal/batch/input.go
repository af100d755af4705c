package batch

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/falimage/falimage-go/fal/internal/naming"
)

// maxLine is how long a line of JSON may be.
const maxLine = 1 << 20

// Record is a row of a table or a line of JSON, to make an item of.
type Record struct {
	// Line is where it begins in the file, from 1.
	Line int
	// Fields are its values by name. A number or a word of JSON is the text that it
	// is written as, and null is "".
	Fields map[string]string
}

// Fill returns a template with its fields, such as "{name}", replaced by those of
// the record; "{{" is a brace. A field that the record does not have is an error.
func (r Record) Fill(template string) (string, error) {
	text, err := naming.Fill(template, func(field string) (string, bool) {
		value, ok := r.Fields[field]
		return value, ok
	})
	if err != nil {
		return "", fmt.Errorf("batch: line %d: template %.80q: %w; the fields are {%s}", r.Line, template, err, strings.Join(slices.Sorted(maps.Keys(r.Fields)), "}, {"))
	}
	return text, nil
}

// ReadCSV yields the rows of a table, one by one. The first row has the names of the
// columns. An error says in which line and column it is, and comes last.
func ReadCSV(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		in := csv.NewReader(unmarked(r))
		in.ReuseRecord = true
		names, err := header(in)
		for err == nil {
			var row []string
			if row, err = in.Read(); err != nil {
				break
			}
			fields := make(map[string]string, len(names))
			for i, name := range names {
				if fields[name] = strings.Clone(row[i]); !utf8.ValidString(row[i]) {
					line, column := in.FieldPos(i)
					err = fmt.Errorf("batch: line %d, column %d: %s is not UTF-8", line, column, name)
				}
			}
			line, _ := in.FieldPos(0)
			if err == nil && !yield(Record{line, fields}, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			if e, ok := errors.AsType[*csv.ParseError](err); ok {
				err = fmt.Errorf("batch: line %d, column %d: %w", e.Line, e.Column, e.Err)
			}
			yield(Record{}, err)
		}
	}
}

// unmarked passes over the mark that some programs put before UTF-8.
func unmarked(r io.Reader) io.Reader {
	in := bufio.NewReader(r)
	if head, _ := in.Peek(3); string(head) == "\ufeff" {
		_, _ = in.Discard(len(head))
	}
	return in
}

// header reads the names of the columns.
func header(in *csv.Reader) ([]string, error) {
	row, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("batch: line 1: the names of the columns are missing")
	}
	if err != nil {
		return nil, err
	}
	names := slices.Clone(row)
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		line, column := in.FieldPos(i)
		if names[i] == "" || slices.Contains(names[:i], names[i]) {
			return nil, fmt.Errorf("batch: line %d, column %d: a column is named %q: names must be there, and each once", line, column, names[i])
		}
	}
	return names, nil
}

// ReadJSONLines yields the objects of a file that has one in each line, one by one.
// Their values are texts, numbers, words and null; a line has at most a megabyte, and
// empty lines are passed over. An error says in which line and column it is, and
// comes last.
func ReadJSONLines(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		n := 0
		for lines.Scan() {
			n++
			text := strings.TrimPrefix(lines.Text(), "\ufeff")
			if strings.TrimSpace(text) == "" {
				continue
			}
			fields, err := object(n, text)
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(Record{n, fields}, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Record{}, fmt.Errorf("batch: line %d: %w", n+1, err))
		}
	}
}

// object reads the fields of an object.
func object(line int, text string) (map[string]string, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		column := 1
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			column = int(e.Offset)
		}
		return nil, fmt.Errorf("batch: line %d, column %d: must be a JSON object: %w", line, column, err)
	}
	if raw == nil {
		return nil, fmt.Errorf("batch: line %d, column 1: must be a JSON object, not null", line)
	}
	fields := make(map[string]string, len(raw))
	for name, value := range raw {
		switch value[0] {
		case '{', '[':
			return nil, fmt.Errorf("batch: line %d, column %d: %.60q must be a text, a number, a word or null", line, strings.Index(text, string(value))+1, name)
		case '"':
			var s string
			if err := json.Unmarshal(value, &s); err != nil {
				return nil, fmt.Errorf("batch: line %d: %.60q: %w", line, name, err)
			}
			fields[name] = s
		case 'n':
			fields[name] = ""
		default:
			fields[name] = string(value)
		}
	}
	return fields, nil
}
