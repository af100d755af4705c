package batch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
)

// read returns the records of an input, and what is wrong with it.
func read(records iter.Seq2[batch.Record, error]) (out []batch.Record, text string) {
	for r, err := range records {
		if err != nil {
			return out, err.Error()
		}
		out = append(out, r)
	}
	return out, ""
}

func TestRead(t *testing.T) {
	t.Parallel()
	two := []batch.Record{{Line: 2, Fields: map[string]string{"sku": "A", "name": "a mug"}}, {Line: 3, Fields: map[string]string{"sku": "B", "name": ""}}}
	for _, tt := range []struct {
		name, csv, lines string
		want             []batch.Record
		wantErr          string
	}{
		{name: "csv", csv: "\ufeffsku, name\nA,a mug\nB,\n", want: two},
		{name: "quoted", csv: "sku,name\n\"A\",\"a\nmug\"\nB,\n", want: []batch.Record{{Line: 2, Fields: map[string]string{"sku": "A", "name": "a\nmug"}}, {Line: 4, Fields: map[string]string{"sku": "B", "name": ""}}}},
		{name: "csv of nothing", csv: "\n", wantErr: "line 1: the names of the columns are missing"},
		{name: "no name", csv: "sku,\nA,B\n", wantErr: `line 1, column 5: a column is named ""`},
		{name: "name twice", csv: "sku,sku\nA,B\n", wantErr: `line 1, column 5: a column is named "sku"`},
		{name: "fields", csv: "sku,name\nA,a mug\nB\n", want: two[:1], wantErr: "line 3, column 1: wrong number of fields"},
		{name: "quote", csv: "sku,name\nA,a \"mug\n", wantErr: "line 2, column 5: bare"},
		{name: "not UTF-8", csv: "sku,name\nA,\xff\n", wantErr: "line 2, column 3: name is not UTF-8"},
		{name: "lines", lines: "\n{\"sku\":\"A\",\"name\":\"a mug\"}\n{\"sku\":\"B\",\"name\":null}", want: two},
		{name: "numbers", lines: `{"a":1.50,"b":true}`, want: []batch.Record{{Line: 1, Fields: map[string]string{"a": "1.50", "b": "true"}}}},
		{name: "no object", lines: "{}\n[1]", want: []batch.Record{{Line: 1, Fields: map[string]string{}}}, wantErr: "line 2, column 1: must be a JSON object"},
		{name: "null", lines: "null", wantErr: "line 1, column 1: must be a JSON object"},
		{name: "cut off", lines: `{"a":"b"`, wantErr: "line 1, column 8: must be a JSON object"},
		{name: "nested", lines: `{"a": {"b":1}}`, wantErr: `line 1, column 7: "a" must be a text`},
		{name: "long", lines: "{}\n" + strings.Repeat("x", 2<<20), want: []batch.Record{{Line: 1, Fields: map[string]string{}}}, wantErr: "line 2: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			records := batch.ReadJSONLines(strings.NewReader(tt.lines))
			if tt.csv != "" {
				records = batch.ReadCSV(strings.NewReader(tt.csv))
			}
			got, text := read(records)
			if diff := cmp.Diff(tt.want, got); diff != "" || (tt.wantErr == "") != (text == "") || !strings.Contains(text, tt.wantErr) {
				t.Errorf("%s (-want +got)\n%s", text, diff)
			}
		})
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	r := batch.Record{Line: 7, Fields: map[string]string{"name": "mug", "color": "red {name}"}}
	for template, want := range map[string]string{
		"a {color} {name}": "a red {name} mug", "": "", "{{name} {name}": "{name} mug",
		"a {size}": `line 7: template "a {size}": at column 3 there is an unknown field {size}; the fields are {color}, {name}`,
		"{name":    "at column 1 a brace is opened and not closed",
	} {
		got, err := r.Fill(template)
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != want || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", template, got, want)
		}
	}
}

// Nothing that is read makes a reader panic, and lines are told from 1.
func FuzzRead(f *testing.F) {
	f.Add("sku,name\nA,B\n", "{sku}")
	f.Add(`{"sku":"A","n":1}`, "{{ {sku}")
	f.Fuzz(func(t *testing.T, text, template string) {
		for _, records := range []iter.Seq2[batch.Record, error]{batch.ReadCSV(strings.NewReader(text)), batch.ReadJSONLines(strings.NewReader(text))} {
			for r, err := range records {
				if err == nil && r.Line < 1 {
					t.Errorf("line %d", r.Line)
				}
				_, _ = r.Fill(template)
			}
		}
	})
}

func TestManifest(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 1)
	j := batch.Memory()
	run := &batch.Runner{Client: quick(srv), Journal: j, Dir: t.TempDir()}
	for _, key := range []string{"m0", "m<1>&"} {
		_, _ = batch.Step(t.Context(), run, mug(key))
	}
	var b bytes.Buffer
	if err := batch.WriteManifest(t.Context(), &b, j); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(m["key"], " ", m["state"], " ", m["endpoint"], " ", m["files"] != nil, " ", m["failure"] != nil, " ", m["request_id"] != nil, " ", m["billable_units"]))
	}
	want := []string{"m0 failed fal-ai/flux/schnell false true true 1", "m<1>& done fal-ai/flux/schnell true false true 1"}
	if !strings.Contains(b.String(), `"m<1>&"`) {
		t.Errorf("a key is not as it was given: %s", b.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
