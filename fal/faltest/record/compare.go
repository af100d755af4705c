package record

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
)

// Difference is something in which the local fal answers otherwise than what is
// on a tape.
type Difference struct {
	Exchange int    // its number on the tape, from 1
	Request  string // method and path
	What     string // such as "status", "header X-Fal-Billable-Units" or "field images[].url"
	Tape     string // what the tape has; "" for nothing
	Local    string // what the local fal has
}

// String returns the difference as a line.
func (d Difference) String() string {
	or := func(s string) string {
		if s == "" {
			return "nothing"
		}
		return s
	}
	return fmt.Sprintf("%d. %s: %s: %s on the tape, %s of the local fal", d.Exchange, d.Request, d.What, or(d.Tape), or(d.Local))
}

// Compare sends the requests of a tape to a local fal, one after the other, and
// tells in what its answers differ: status, headers of fal's own, and which
// fields of which types JSON has. Ids and addresses that the tape's answers gave
// are those that the local fal gives in their place. What a picture shows, how
// often a job was asked about, and the texts of messages are not compared; nor
// are uploads and downloads.
//
// A tape without prompts is compared with what stands in their place.
func (t *Tape) Compare(ctx context.Context, srv *faltest.Server) ([]Difference, error) {
	c := comparison{hosts: srv.Hosts(), client: &http.Client{}, key: "Key " + faltest.Key, names: make(map[string]string)}
	var all []Difference
	for i, e := range t.Exchanges {
		u, err := parseURL(e.URL)
		if err != nil {
			return nil, fmt.Errorf("record: exchange %d: %w", i+1, err)
		}
		if !c.compared(u) || !settled(e) {
			continue
		}
		found, err := c.compare(ctx, e, u)
		if err != nil {
			return nil, fmt.Errorf("record: exchange %d, %s %s: %w", i+1, e.Method, u.Path, err)
		}
		for _, d := range found {
			d.Exchange, d.Request = i+1, e.Method+" "+u.Host+u.Path
			all = append(all, d)
		}
	}
	return all, nil
}

// comparison is a comparison under way.
type comparison struct {
	hosts  fal.Hosts
	client *http.Client
	key    string
	names  map[string]string // ids and addresses of the tape -> those here
}

// compared reports whether exchanges with an address are compared.
func (c *comparison) compared(u *url.URL) bool {
	return slices.Contains([]string{"fal.run", "queue.fal.run", "api.fal.ai"}, u.Host)
}

// settled reports whether an exchange says something that does not depend on
// how fast a job was: statuses before the last, and streams of them, do.
func settled(e Exchange) bool {
	if e.Answer.Body.Cut || strings.HasSuffix(e.URL, "/status/stream") || strings.HasPrefix(e.Answer.Header.Get("Content-Type"), "text/event-stream") {
		return false
	}
	var status struct {
		Status string `json:"status"`
	}
	_ = json.Unmarshal(e.Answer.Body.JSON, &status) // what is no object has no status
	return e.Method != http.MethodGet || status.Status != "IN_QUEUE" && status.Status != "IN_PROGRESS"
}

// here turns ids and addresses of the tape into those of the local fal.
func (c *comparison) here(s string) string {
	for there, here := range c.names {
		s = strings.ReplaceAll(s, there, here)
	}
	return s
}

func (c *comparison) compare(ctx context.Context, e Exchange, u *url.URL) ([]Difference, error) {
	base := strings.TrimSuffix(c.hosts.Run, "/fal.run")
	address := c.here(strings.Replace(e.URL, u.Scheme+"://", base+"/", 1))
	req, err := http.NewRequestWithContext(ctx, e.Method, address, strings.NewReader(c.here(string(e.Body.content()))))
	if err != nil {
		return nil, err
	}
	for name, values := range e.Header {
		req.Header[name] = slices.Clone(values)
	}
	req.Header.Set("Authorization", c.key)
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, err
	}
	var all []Difference
	add := func(what, tape, local string) {
		if tape != local {
			all = append(all, Difference{What: what, Tape: tape, Local: local})
		}
	}
	add("status", strconv.Itoa(e.Answer.Status), strconv.Itoa(resp.StatusCode))
	for _, name := range falsHeaders(e.Answer.Header, resp.Header) {
		there, here := e.Answer.Header.Get(name), resp.Header.Get(name)
		switch name {
		case "X-Fal-Request-Id":
			c.learn(there, here)
			there, here = present(there), present(here)
		case "X-Fal-Billable-Units", "X-Fal-Error-Type", "X-Fal-Needs-Retry", "X-Fal-Request-Timeout-Type":
		default: // times and names of machines
			there, here = present(there), present(here)
		}
		add("header "+name, there, here)
	}
	there, here := readJSON(e.Answer.Body.JSON), readJSON(body)
	c.pair(there, here)
	tape, local := make(map[string]string), make(map[string]string)
	shape("", there, tape)
	shape("", here, local)
	for _, path := range sorted(tape, local) {
		if alike(tape[path], local[path]) {
			continue
		}
		add("field "+strings.TrimPrefix(path, "."), tape[path], local[path])
	}
	return all, nil
}

func present(s string) string {
	if s == "" {
		return ""
	}
	return "some"
}

// falsHeaders returns the names of fal's own headers in both.
func falsHeaders(a, b http.Header) []string {
	var names []string
	for _, h := range []http.Header{a, b} {
		for name := range h {
			if strings.HasPrefix(name, "X-Fal-") && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// learn notes that an id or address of the tape is another one here.
func (c *comparison) learn(there, here string) {
	if len(there) >= 8 && here != "" && there != here {
		c.names[there] = here
	}
}

// pair learns the ids and addresses of an answer.
func (c *comparison) pair(there, here any) {
	a, ok := there.(map[string]any)
	b, alsoOK := here.(map[string]any)
	if !ok || !alsoOK {
		return
	}
	if id, ok := a["request_id"].(string); ok {
		other, _ := b["request_id"].(string)
		c.learn(id, other)
	}
}

func readJSON(data []byte) any {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	_ = dec.Decode(&v) // what is no JSON has no fields
	return v
}

// maxNested is how deep fields are looked at.
const maxNested = 32

// shape collects the paths of all values with their types. The elements of a
// list have one path together.
func shape(path string, v any, into map[string]string) {
	if strings.Count(path, ".")+strings.Count(path, "[]") > maxNested {
		return
	}
	kind := ""
	switch v := v.(type) {
	case nil:
		if path == "" {
			return
		}
		kind = "null"
	case bool:
		kind = "boolean"
	case string:
		kind = "string"
	case json.Number:
		kind = "number"
	case []any:
		kind = "list"
		for _, item := range v {
			shape(path+"[]", item, into)
		}
	case map[string]any:
		kind = "object"
		for name, inner := range v {
			shape(path+"."+name, inner, into)
		}
	}
	if before := into[path]; before == "" || before == "null" {
		into[path] = kind
	}
}

// alike reports whether two types are taken for the same: null stands for any
// value that is not there.
func alike(a, b string) bool {
	return a == b || a == "null" && b != "" || b == "null" && a != ""
}

func sorted(maps ...map[string]string) []string {
	var all []string
	for _, m := range maps {
		for path := range m {
			if path != "" && !slices.Contains(all, path) {
				all = append(all, path)
			}
		}
	}
	slices.Sort(all)
	return all
}
