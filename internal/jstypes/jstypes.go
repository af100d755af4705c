// Package jstypes reads the published TypeScript types of fal's endpoints, as
// far as needed to compare them with our catalogue. What they say of the endpoints
// in it is kept in testdata/published.json: the next major version of the client
// ships no such types.
package jstypes

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Field is a member of an input type.
type Field struct {
	Name     string   `json:"name"`
	Required bool     `json:"required,omitzero"`
	Values   []string `json:"values,omitzero"` // of a union of strings alone
}

// The lines of a declaration file that matter. The published file is written
// by a generator, one member a line.
var (
	aliasLine    = regexp.MustCompile(`^export type (\w+) = (\w+);$`)
	typeLine     = regexp.MustCompile(`^export type (\w+) = \{$`)
	extendsLine  = regexp.MustCompile(`^export type (\w+) = (\w+) & \{$`)
	memberLine   = regexp.MustCompile(`^    (\w+)(\??): (.+);$`)
	endpointLine = regexp.MustCompile(`^    "([^"]+)": \{$`)
	inputLine    = regexp.MustCompile(`^        input: (\w+);$`)
	stringUnion  = regexp.MustCompile(`^"[^"]*"( \| "[^"]*")*$`)
)

// Parse returns the input fields of each endpoint by its id.
func Parse(r io.Reader) (map[string][]Field, error) {
	types := map[string][]Field{}
	aliases := map[string]string{}
	inputs := map[string]string{}
	current, endpoint := "", ""
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		line := scan.Text()
		switch {
		case aliasLine.MatchString(line):
			m := aliasLine.FindStringSubmatch(line)
			aliases[m[1]] = m[2]
		case typeLine.MatchString(line):
			current = typeLine.FindStringSubmatch(line)[1]
			types[current] = nil
		case extendsLine.MatchString(line):
			return nil, fmt.Errorf("a form of type that this parser does not know: %s", line)
		case line == "};":
			current = ""
		case current == "EndpointTypeMap" && endpointLine.MatchString(line):
			endpoint = endpointLine.FindStringSubmatch(line)[1]
		case current == "EndpointTypeMap" && inputLine.MatchString(line):
			inputs[endpoint] = inputLine.FindStringSubmatch(line)[1]
		case current != "" && memberLine.MatchString(line):
			types[current] = append(types[current], member(memberLine.FindStringSubmatch(line)))
		}
	}
	if err := scan.Err(); err != nil {
		return nil, err
	}
	endpoints := map[string][]Field{}
	for id, name := range inputs {
		for aliases[name] != "" {
			name = aliases[name]
		}
		fields, ok := types[name]
		if !ok {
			return nil, fmt.Errorf("the input type %s of %s is not declared", name, id)
		}
		endpoints[id] = fields
	}
	return endpoints, nil
}

func member(m []string) Field {
	f := Field{Name: m[1], Required: m[2] == ""}
	if stringUnion.MatchString(m[3]) {
		for value := range strings.SplitSeq(m[3], " | ") {
			f.Values = append(f.Values, strings.Trim(value, `"`))
		}
	}
	return f
}
