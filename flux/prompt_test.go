package flux_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/flux"
)

// full has every field set.
var full = flux.StructuredPrompt{
	Scene: "a product photograph in a studio",
	Subjects: []flux.PromptSubject{
		{
			Type:               "coffee mug",
			Description:        "matte black ceramic",
			Expression:         "none",
			Pose:               "upright",
			Position:           "foreground",
			Action:             "steaming",
			Text:               "TO GO",
			Colors:             []flux.Color{"#1A1A1A"},
			ColorPalette:       []flux.Color{"matte black", "#FFD700 (gold)"},
			ColorMatch:         "exact",
			DetailPreservation: "high",
			Extra:              flux.PromptFields{{Key: "id", Value: "mug"}, {Key: "details", Value: "thin rim"}},
		},
		{Description: "a succulent", Position: "left of the mug"},
	},
	Text:         []string{"SALE", "today"},
	Style:        "editorial",
	ColorPalette: []flux.Color{"#2ECC71", "linen white"},
	Colors:       []flux.Color{"#ABCDEF"},
	Lighting:     "soft window light",
	Mood:         "calm",
	Background:   "polished concrete",
	Composition:  "rule of thirds",
	Camera: flux.PromptCamera{
		Angle:        "high angle",
		Distance:     "close-up",
		Lens:         "macro",
		LensMM:       85,
		FNumber:      "f/5.6",
		ISO:          200,
		Focus:        "the handle",
		DepthOfField: "shallow",
		Model:        "X100",
		Extra:        flux.PromptFields{{Key: "film", Value: "slide"}},
	},
	Effects: []string{"film grain", "R&D <glow>"},
	Extra:   flux.PromptFields{{Key: "aspect_ratio", Value: "16:9"}, {Key: "technical", Value: flux.PromptFields{{Key: "z", Value: "1"}, {Key: "a", Value: true}}}},
}

const fullJSON = `{"scene":"a product photograph in a studio",` +
	`"subjects":[{"type":"coffee mug","description":"matte black ceramic","expression":"none","pose":"upright","position":"foreground","action":"steaming","text":"TO GO",` +
	`"colors":["#1A1A1A"],"color_palette":["matte black","#FFD700 (gold)"],"color_match":"exact","detail_preservation":"high","id":"mug","details":"thin rim"},` +
	`{"description":"a succulent","position":"left of the mug"}],` +
	`"text":["SALE","today"],"style":"editorial","color_palette":["#2ECC71","linen white"],"colors":["#ABCDEF"],` +
	`"lighting":"soft window light","mood":"calm","background":"polished concrete","composition":"rule of thirds",` +
	`"camera":{"angle":"high angle","distance":"close-up","focus":"the handle","lens":"macro","lens-mm":85,"f-number":"f/5.6","ISO":200,"depth_of_field":"shallow","model":"X100","film":"slide"},` +
	`"effects":["film grain","R&D <glow>"],"aspect_ratio":"16:9","technical":{"z":"1","a":true}}`

func TestStructuredPromptFull(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(fullJSON, full.Prompt()); diff != "" {
		t.Errorf("Prompt (-want +got):\n%s", diff)
	}
	var got flux.StructuredPrompt
	if err := json.Unmarshal([]byte(full.Prompt()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, got); diff != "" {
		t.Errorf("after a round trip (-want +got):\n%s", diff)
	}
	// The encoder of a request escapes the text once more, so & < > must be
	// as they are only in the text itself.
	b, err := json.Marshal(full)
	if err != nil || !strings.Contains(string(b), `R\u0026D`) {
		t.Errorf("json.Marshal = %s, %v", b, err)
	}
	if err := full.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
}

// TestStructuredPromptForms reads the forms that guides publish, and others
// that must survive: want is what is written again, "" for the same.
func TestStructuredPromptForms(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty", `{}`, ``},
		{"null", `null`, `{}`},
		{"empty values", `{"scene":"","subjects":[],"camera":{},"effects":null,"camera2":{},"note":"","none":null}`, `{"camera2":{},"note":"","none":null}`},
		{"order", `{"mood":"calm","x":1,"scene":"s","w":2}`, ``},
		{"order in objects", `{"subjects":[{"position":"left","id":"a","description":"d"},{"description":"d","position":"left"}],"camera":{"ISO":100,"gear":"tripod","angle":"low"}}`, ``},
		{"order without what is empty", `{"mood":"calm","style":"","scene":"s"}`, `{"mood":"calm","scene":"s"}`},
		{"usual order without what is empty", `{"lighting":null,"scene":"s","subjects":[],"mood":"calm"}`, `{"scene":"s","mood":"calm"}`},
		{"scene object", `{"mood":"m","scene":{"setting":"kitchen","time":"dawn","mood":"calm"}}`, ``},
		{"style object", `{"style":{"medium":"oil","technique":"impasto","reference":"none"}}`, ``},
		{"composition object", `{"composition":{"layout":"grid","focal_point":"cup","depth_layers":["a","b"]}}`, ``},
		{"camera text", `{"camera":"35mm, eye level"}`, ``},
		{"colors list", `{"colors":["#FF0000 (red)","#00FF00"]}`, ``},
		{"colors map", `{"colors":{"primary":"#FF0000 (red)","accent":"#00ff00"}}`, ``},
		{"colors mixed", `{"color_palette":["#FF0000",{"name":"red"}]}`, ``},
		{"subjects text", `{"subjects":["a cat"]}`, ``},
		{"subjects object", `{"subjects":{"description":"a cat"}}`, ``},
		{"empty subject", `{"subjects":[{},{"description":"a cat"}]}`, ``},
		{"null subject", `{"subjects":[null]}`, ``},
		{"subject colours", `{"subjects":[{"colors":"#FF0000","color_palette":["black"]}]}`, ``},
		{"camera numbers", `{"camera":{"lens-mm":85,"f-number":"f/5.6","ISO":200}}`, ``},
		{"camera other numbers", `{"camera":{"lens-mm":"85","f-number":5.6,"ISO":"200"}}`, ``},
		{"fraction", `{"camera":{"lens-mm":7.5,"ISO":0.5}}`, ``},
		{"whole fraction", `{"camera":{"lens-mm":85.0,"ISO":200.0}}`, `{"camera":{"lens-mm":85,"ISO":200}}`},
		{"zero", `{"camera":{"lens-mm":0,"ISO":-0}}`, `{}`},
		{"long numbers", `{"camera":{"lens-mm":85.12345678901234567890,"ISO":123456789012345678901234567890}}`, ``},
		{"numbers of 15 and 16 characters", `{"camera":{"lens-mm":85.000000000000,"ISO":200.000000000000}}`, `{"camera":{"lens-mm":85,"ISO":200.000000000000}}`},
		{"exponents", `{"camera":{"lens-mm":1e999999,"ISO":2e2}}`, ``},
		{"letter case of keys", `{"Scene":"x","camera":{"iso":100,"f_number":"f/2"}}`, ``},
		{"infographic", `{"style":"flat","type":"infographic","title":"T","sections":[{"heading":"h","content":"c","visual":"v"}],"color_scheme":"warm"}`, ``},
		{"technical", `{"technical":{"camera":"c","lighting":"l","composition":"o"}}`, ``},
		{"unknown order", `{"b":{"y":1,"x":[1.50,-0,1e3,true,null,{}]},"a":"é\u2028<&>"}`, `{"b":{"y":1,"x":[1.50,-0,1e3,true,null,{}]},"a":"é\u2028<&>"}`},
		{"other forms among unknown keys", `{"x":1,"lighting":{},"scene":{"a":1}}`, ``},
		{"lettering", `{"text":"SALE","subjects":[{"text":["a","b"],"expression":"calm"}],"camera":{"model":"X100"}}`, ``},
		{"in a string", `"{\"mood\":\"calm\",\"scene\":\"s\"}"`, `{"mood":"calm","scene":"s"}`},
		{"escapes", `{"scene":"\u0061\/\n\ud83c\udf31"}`, `{"scene":"a/\n🌱"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var p, again flux.StructuredPrompt
			if err := json.Unmarshal([]byte(tt.in), &p); err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "" {
				want = tt.in
			}
			if diff := cmp.Diff(want, p.Prompt()); diff != "" {
				t.Errorf("written again (-want +got):\n%s", diff)
			}
			if err := json.Unmarshal([]byte(p.Prompt()), &again); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p, again); diff != "" {
				t.Errorf("read again (-want +got):\n%s", diff)
			}
			if err := p.Validate(); err != nil {
				t.Errorf("Validate: %v", err)
			}
		})
	}
}

func TestStructuredPromptReads(t *testing.T) {
	t.Parallel()
	p := flux.StructuredPrompt{Scene: "old", Extra: flux.PromptFields{{Key: "old"}}}
	in := `{"scene":{"setting":"kitchen"},"camera":{"lens-mm":85.0,"ISO":200,"f-number":"f/2"},"colors":["#ff0000"]}`
	if err := json.Unmarshal([]byte(in), &p); err != nil {
		t.Fatal(err)
	}
	want := flux.StructuredPrompt{
		Colors: []flux.Color{"#ff0000"},
		Camera: flux.PromptCamera{LensMM: 85, ISO: 200, FNumber: "f/2", Order: []string{"lens-mm", "ISO", "f-number"}},
		Extra:  flux.PromptFields{{Key: "scene", Value: flux.PromptFields{{Key: "setting", Value: "kitchen"}}}},
		Order:  []string{"scene", "camera", "colors"},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v, ok := p.Extra.Get("scene"); !ok || v == nil {
		t.Errorf("Get(scene) = %v, %v", v, ok)
	}
	if v, ok := p.Extra.Get("style"); ok || v != nil {
		t.Errorf("Get(style) = %v, %v", v, ok)
	}
}

// TestUsualOrder compares with the keys of Black Forest Labs' own examples: they
// are in the usual order.
func TestUsualOrder(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"scene":"s","subjects":[{"description":"d","position":"p","action":"a"}],"style":"s","color_palette":["#FF0000"],"lighting":"l","mood":"m",` +
			`"background":"b","composition":"c","camera":{"angle":"a","lens":"l","depth_of_field":"d"}}`,
		`{"scene":"s","subjects":[{"description":"d","pose":"p","position":"p","color_palette":["black"]}],"style":"s","color_palette":["black"],"lighting":"l",` +
			`"mood":"m","background":"b","composition":"c","camera":{"angle":"a","distance":"d","focus":"f","lens-mm":85,"f-number":"f/5.6","ISO":200}}`,
		`{"scene":"s","subjects":[{"type":"t","description":"d","position":"p","color_match":"exact"}]}`,
	} {
		p, err := flux.ReadPrompt(text)
		if err != nil {
			t.Fatal(err)
		}
		if p.Order != nil || p.Camera.Order != nil || p.Subjects[0].Order != nil || p.Extra != nil {
			t.Errorf("%s was read as\n%+v", text, p)
		}
	}
}

// TestPromptOrder writes prompts whose order is given.
func TestPromptOrder(t *testing.T) {
	t.Parallel()
	p := flux.StructuredPrompt{
		Scene:    "s",
		Subjects: []flux.PromptSubject{{Description: "d", Position: "p", Order: []string{"position"}}},
		Mood:     "m",
		Camera:   flux.PromptCamera{Angle: "a", ISO: 100, Order: []string{"none", "ISO", "ISO"}},
		Extra:    flux.PromptFields{{Key: "x", Value: 1}, {Key: "y", Value: 2}},
		Order:    []string{"y", "camera", "scene", "y", "style"},
	}
	want := `{"y":2,"camera":{"ISO":100,"angle":"a"},"scene":"s","subjects":[{"position":"p","description":"d"}],"mood":"m","x":1}`
	if diff := cmp.Diff(want, p.Prompt()); diff != "" {
		t.Errorf("Prompt (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("Y: 2. Camera: ISO 100, a. s. p, d. Mood: m. X: 1.", p.Prose()); diff != "" {
		t.Errorf("Prose (-want +got):\n%s", diff)
	}
}

// TestReadPrompt reads prompts as they are handed on.
func TestReadPrompt(t *testing.T) {
	t.Parallel()
	const object = `{"mood":"calm","scene":"a ` + "```" + ` mark"}`
	const block = "```json\n{\"mood\": \"calm\",\n \"scene\": \"s\"}\n```"
	for text, want := range map[string]string{
		object:                      object,
		"\ufeff \n" + object + "\n": object,
		"null":                      "{}",
		block:                       `{"mood":"calm","scene":"s"}`,
		"Here it is:\n\n" + block + "\nHave fun!": `{"mood":"calm","scene":"s"}`,
		"```\n{}\n```":                           "{}",
		"```{}":                                  "{}",
		`"{\"scene\": \"s\"}"`:                   `{"scene":"s"}`,
		`"\"{\\\"scene\\\": \\\"s\\\"}\""`:       `{"scene":"s"}`,
		"\"```json\\n{\\\"scene\\\": 1}\\n```\"": `{"scene":1}`,
		"```json5\n\"{}\"\n```":                  "{}",
	} {
		p, err := flux.ReadPrompt(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, p.Prompt()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for text, want := range map[string]string{
		"":                         "unexpected end",
		"a mug":                    "invalid character 'a'",
		`"a mug"`:                  "must be a JSON object",
		`"a mug`:                   "unexpected end",
		"```json\na mug\n```":      "must be a JSON object",
		"```json\n[{}]\n```":       "must be a JSON object",
		block + "\n" + block:       "several code blocks",
		"Here it is: {}":           "invalid character 'H'",
		`{"scene":"a"} and {}`:     "invalid character 'a'",
		`"{\"a\":1,\"a\":2}"`:      `the key "a" stands twice`,
		strings.Repeat("[", 1<<20): "exceeded max depth",
	} {
		p, err := flux.ReadPrompt(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "flux: structured prompt: ") {
			t.Errorf("%.40s: error %v, want %q", text, err, want)
		}
		if diff := cmp.Diff(flux.StructuredPrompt{}, p); diff != "" {
			t.Errorf("%.40s: a prompt with the error:\n%s", text, diff)
		}
	}
}

func TestStructuredPromptRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[]`:                       "must be a JSON object",
		`"text"`:                   "must be a JSON object",
		`{"scene":"a","scene":{}}`: `the key "scene" stands twice`,
		`{"x":[{"y":1,"y":2}]}`:    `the key "y" stands twice`,
		`{"scene":}`:               "invalid character",
		``:                         "unexpected end",
		`{} {}`:                    "invalid character",
		strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat(`}`, 20000): "exceeded max depth",
	} {
		var p flux.StructuredPrompt
		// Called directly, without the checks of json.Unmarshal.
		if err := p.UnmarshalJSON([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: error %v, want %q", in, err, want)
		}
	}
}

func TestStructuredPromptValidate(t *testing.T) {
	t.Parallel()
	p := flux.StructuredPrompt{
		Scene:        "s",
		ColorPalette: []flux.Color{"red", "#FFF"},
		Subjects: []flux.PromptSubject{{}, {
			Colors: []flux.Color{"#12345678"},
			Extra:  flux.PromptFields{{Key: "100%", Value: math.NaN()}},
		}},
		Camera: flux.PromptCamera{LensMM: math.Inf(1), ISO: -1},
		Extra:  flux.PromptFields{{Key: "scene", Value: "t"}, {Key: "x", Value: 1}, {Key: "x", Value: 2}, {Key: "c", Value: []any{make(chan int)}}},
	}
	err := p.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	want := `flux: prompt: subjects[1].colors[0]: colour "#12345678": has an alpha channel, which prompts do not know: write six digits, as in #2ECC71
flux: prompt: subjects[1].100%: json: unsupported value: NaN
flux: prompt: color_palette[1]: colour "#FFF": is the short form, which prompts do not know: write #FFFFFF
flux: prompt: camera.lens-mm: +Inf: must be a number of millimetres
flux: prompt: camera.ISO: -1: must not be negative
flux: prompt: scene: is set twice
flux: prompt: x: is set twice
flux: prompt: c: [0]: json: unsupported type: chan int`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := p.MarshalJSON(); err == nil {
		t.Error("MarshalJSON of infinity: no error")
	}
	if got := p.Prompt(); !json.Valid([]byte(got)) || !strings.Contains(got, `"lens-mm":"+Inf"`) || strings.Count(got, `"scene"`) != 1 {
		t.Errorf("Prompt = %s", got)
	}
}

func TestLens(t *testing.T) {
	t.Parallel()
	for mm, valid := range map[float64]bool{0: true, 0.5: true, 85: true, -1: false, math.Inf(1): false, math.Inf(-1): false, math.NaN(): false} {
		if err := (flux.StructuredPrompt{Camera: flux.PromptCamera{LensMM: mm}}).Validate(); (err == nil) != valid {
			t.Errorf("%v mm: %v", mm, err)
		}
	}
}

func TestPromptFields(t *testing.T) {
	t.Parallel()
	in := `{"b":[1.50],"a":{"d":null,"c":"<"}}`
	var p flux.StructuredPrompt
	if err := json.Unmarshal([]byte(in), &p); err != nil {
		t.Fatal(err)
	}
	want := flux.PromptFields{
		{Key: "b", Value: []any{json.Number("1.50")}},
		{Key: "a", Value: flux.PromptFields{{Key: "d"}, {Key: "c", Value: "<"}}},
	}
	if diff := cmp.Diff(want, p.Extra); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if b, err := p.Extra.MarshalJSON(); err != nil || string(b) != in {
		t.Errorf("written: %s, %v", b, err)
	}
	if _, err := (flux.PromptFields{{Key: "x", Value: math.NaN()}}).MarshalJSON(); err == nil {
		t.Error("NaN was written")
	}
}

func FuzzStructuredPrompt(f *testing.F) {
	f.Add([]byte(fullJSON))
	for _, s := range []string{
		`{}`, `null`, `[]`, `{"scene":{"a":1}}`, `{"subjects":[{},null,"x"],"camera":[]}`, `{"camera":{"lens-mm":1e5,"ISO":1.0}}`,
		`{"colors":{"a":"#FF0000"},"effects":[1]}`, `{"\u0000":"\ud800","scene":"\ufffd"}`, `{"a":1,"a":2}`, `{"x":-0.0}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p flux.StructuredPrompt
		if p.UnmarshalJSON(data) != nil {
			return
		}
		b, err := p.MarshalJSON()
		if err != nil {
			t.Fatalf("%s was read and cannot be written: %v", data, err)
		}
		if string(b) != p.Prompt() {
			t.Fatalf("MarshalJSON wrote %s, Prompt %s", b, p.Prompt())
		}
		var again flux.StructuredPrompt
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Fatalf("%s (-first +second):\n%s", data, diff)
		}
		sameLeaves(t, data, b)
		prose := p.Prose()
		for _, s := range []string{p.Scene, p.Style, p.Mood, p.Lighting} {
			if !strings.Contains(prose, strings.TrimSpace(s)) && !strings.HasPrefix(s, "#") {
				t.Fatalf("%q is not in %q", s, prose)
			}
		}
		if read, err := flux.ReadPrompt("```json\n" + string(b) + "```"); !strings.Contains(string(b), "```") && (err != nil || !cmp.Equal(p, read)) {
			t.Fatalf("%s in a block: %v", b, err)
		}
	})
}

// sameLeaves fails unless both texts say the same, apart from empty values and
// the spelling of numbers.
func sameLeaves(t *testing.T, before, after []byte) {
	t.Helper()
	var a, b any
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return // a number that no float64 holds
	}
	if diff := cmp.Diff(prune(a), prune(b)); diff != "" {
		t.Fatalf("%s became %s (-before +after):\n%s", before, after, diff)
	}
}

// prune takes away what is empty.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, item := range v {
			if item = prune(item); item != nil {
				out[key] = item
			}
		}
		if len(out) > 0 {
			return out
		}
		return nil
	case []any:
		if len(v) == 0 {
			return nil
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = prune(v[i])
		}
		return out
	case string:
		if v == "" {
			return nil
		}
	case float64:
		if v == 0 {
			return nil
		}
	}
	return v
}
