package faltest

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	_ "image/gif"  // for the size of pictures sent along
	_ "image/jpeg" // likewise
	_ "image/png"  // likewise
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"

	_ "golang.org/x/image/webp" // likewise

	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/catalog"
)

// known reports whether there is an endpoint with the id.
func known(id string) bool {
	_, ok := catalog.Lookup(id)
	return ok
}

// perform does what a model would do with a request: it checks it, makes what
// was asked for, and bills it. Inline says that the result holds the pictures
// themselves.
func (s *Server) perform(id string, r *http.Request, body []byte, requestID string, e effects) (result answer, inline bool) {
	if f := s.handler(id); f != nil {
		if e.failure != nil {
			return e.failed(), false
		}
		return e.changed(handled(f, r, body, requestID)), false
	}
	endpoint, ok := catalog.Lookup(id)
	if !ok {
		return answer{
			status: http.StatusNotFound, header: map[string]string{"X-Fal-Billable-Units": "0"},
			body: mustJSON(map[string]string{"detail": "Path /" + id + " not found"}),
		}, false
	}
	in, problems := decodeInput(body)
	if kind, _, _ := mime.ParseMediaType(cmp.Or(r.Header.Get("Content-Type"), "application/json")); kind != "application/json" {
		// What is said to be something else is not read as JSON (unconfirmed).
		problems = []problem{{Loc: []any{"body"}, Msg: "Input should be a valid dictionary", Type: "model_attributes_type"}}
	}
	if problems == nil {
		c := checker{s: s, endpoint: endpoint}
		c.object([]any{"body"}, endpoint.Fields, in)
		problems = c.problems
	}
	if len(problems) > 0 {
		return invalid(problems), false
	}
	if e.failure != nil {
		return e.failed(), false
	}
	m := &model{s: s, origin: s.origin(r), endpoint: endpoint, in: in, id: requestID, effects: e}
	m.read()
	out := m.result()
	for _, change := range e.changes {
		change(out)
	}
	return answer{
		status: http.StatusOK,
		header: map[string]string{"X-Fal-Billable-Units": units(endpoint, m.work)},
		body:   mustJSON(out),
	}, m.inline
}

// failed returns a copy of the failure, whose header becomes the job's own.
func (e *effects) failed() answer {
	a := *e.failure
	a.header = maps.Clone(a.header)
	return a
}

// changed changes a result that was made elsewhere, if it is an object.
func (e *effects) changed(a answer) answer {
	if len(e.changes) == 0 {
		return a
	}
	if result, problems := decodeInput(a.body); problems == nil {
		for _, change := range e.changes {
			change(result)
		}
		a.body = mustJSON(result)
	}
	return a
}

// handled lets a function of the user's make the result.
func handled(f http.HandlerFunc, r *http.Request, body []byte, requestID string) answer {
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Header.Del("Authorization")
	r.Header.Set("X-Fal-Request-Id", requestID)
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Type", "application/json") // unless f says otherwise
	f(recorder, r)
	a := answer{status: recorder.Code, header: make(map[string]string), body: recorder.Body.Bytes()}
	for name := range recorder.Header() {
		a.header[name] = recorder.Header().Get(name)
	}
	if a.header["X-Fal-Billable-Units"] == "" {
		a.header["X-Fal-Billable-Units"] = "1"
		if a.status >= 400 {
			a.header["X-Fal-Billable-Units"] = "0"
		}
	}
	return a
}

// model is one request being worked on.
type model struct {
	s        *Server
	origin   string // where the files of the result are
	endpoint *catalog.Endpoint
	in       map[string]any
	id       string
	effects  effects

	work   work
	width  int // of each picture
	height int
	seed   uint64
	prompt string
	format string // "png", "jpeg" or "webp"
	inline bool   // pictures as data URLs
}

// value returns what the request says of a field, or else its default.
func (m *model) value(name string) any {
	if v := m.in[name]; v != nil {
		return v
	}
	if f, ok := m.endpoint.Field(name); ok {
		return f.Default
	}
	return nil
}

func (m *model) integer(name string, fallback int) int {
	switch v := m.value(name).(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return int(f)
		}
	case float64:
		return int(v)
	}
	return fallback
}

// factor returns a number in thousandths.
func (m *model) factor(name string) int64 {
	switch v := m.value(name).(type) {
	case json.Number:
		f, _ := v.Float64() // checked before
		return int64(math.Round(f * 1000))
	case float64:
		return int64(math.Round(v * 1000))
	}
	return 1000
}

func (m *model) text(name string) string {
	text, _ := m.value(name).(string)
	return text
}

// read takes from the request what the result depends on.
func (m *model) read() {
	m.prompt = strings.TrimSpace(m.text("prompt") + " " + m.text("additional_prompt"))
	m.inline, _ = m.value("sync_mode").(bool)
	m.format = m.text("output_format")
	if !slices.Contains([]string{"png", "jpeg", "webp"}, m.format) {
		m.format = "png"
		if m.endpoint.Task == "realtime" {
			m.format = "jpeg"
		}
	}
	m.seed = rand.Uint64() >> 1
	if f, ok := m.endpoint.Field("seed"); ok && f.Max != nil {
		m.seed = rand.Uint64N(uint64(*f.Max))
	}
	if literal, ok := m.in["seed"].(json.Number); ok {
		m.seed, _ = wholeNumber(literal) // checked before
	}
	m.work.outputs = int64(m.integer("num_images", 1))
	if m.endpoint.Output == "layers" {
		m.work.outputs = int64(m.integer("num_layers", 4))
	}
	if m.endpoint.Task == "train" {
		m.work.steps = int64(m.integer("steps", m.integer("iter_multiplier", 1)*1000))
		m.work.references = m.references()
	}
	m.work.seconds = m.s.runTime
	m.work.inputs = m.inputs()
	m.work.resolution = m.text("resolution")
	m.width, m.height = m.size()
	m.work.area = int64(m.width) * int64(m.height)
	m.work.sides = [2]int{m.width, m.height}
	if m.endpoint.Output == "upscaled" && len(m.work.inputs) > 0 {
		// The area is not that of the picture, whose sides are whole.
		in, factor := m.work.inputs[0], m.factor("upscale_factor")
		m.work.area = (int64(in[0])*int64(in[1])*factor*factor + 999_999) / 1_000_000
	}
}

// inputs returns the sizes of the pictures that came with the request.
func (m *model) inputs() [][2]int {
	var sizes [][2]int
	for i := range m.endpoint.Fields {
		f := &m.endpoint.Fields[i]
		if !f.IsFile() || m.endpoint.Task == "train" {
			continue
		}
		switch v := m.in[f.Name].(type) {
		case string:
			sizes = append(sizes, m.s.dimensions(v))
		case []any:
			for _, item := range v {
				u, _ := item.(string)
				sizes = append(sizes, m.s.dimensions(u))
			}
		}
	}
	return sizes
}

// references returns how many reference pictures the pairs of a training set
// have at most: NAME_start.png, NAME_start2.png and so on in the archive. It
// is 1 where the archive is not here to be looked into.
func (m *model) references() int64 {
	most := 1
	for i := range m.endpoint.Fields {
		f := &m.endpoint.Fields[i]
		u, ok := m.in[f.Name].(string)
		if !ok || !isArchive(f) {
			continue
		}
		content, here := m.s.fetch(u)
		if !here {
			continue
		}
		archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			continue
		}
		starts := make(map[string]int)
		for _, entry := range archive.File {
			if name, _, ok := strings.Cut(entry.Name, "_start"); ok {
				starts[name]++
				most = max(most, starts[name])
			}
		}
	}
	return int64(most)
}

// fetch returns the content of a URL that this server knows without fetching
// anything: a data URL, or the address of an upload.
func (s *Server) fetch(u string) (content []byte, here bool) {
	if kind, data, ok := strings.Cut(u, ","); ok && strings.HasPrefix(kind, "data:") {
		if !strings.HasSuffix(kind, ";base64") {
			text, err := url.PathUnescape(data)
			return []byte(text), err == nil
		}
		content, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			content, _ = base64.RawStdEncoding.DecodeString(data) // as much as there is
		}
		return content, true
	}
	if f, _ := s.stored(u); f != nil && f.draw == nil {
		return f.uploaded, true
	}
	return nil, false
}

// dimensions returns the size of a picture by its URL. This server fetches
// nothing: what is elsewhere is taken to be 1024 by 1024.
func (s *Server) dimensions(u string) [2]int {
	if f, _ := s.stored(u); f != nil && f.width > 0 {
		return [2]int{f.width, f.height} // without drawing it
	}
	if content, here := s.fetch(u); here {
		if c, _, err := image.DecodeConfig(bytes.NewReader(content)); err == nil {
			return [2]int{c.Width, c.Height}
		}
	}
	return [2]int{1024, 1024}
}

// size returns the size of the output.
func (m *model) size() (width, height int) {
	width, height = m.asked()
	if to := m.endpoint.Limits.Size.RoundTo; to > 0 {
		round := func(side int) int { return max(to, (side+to/2)/to*to) }
		return round(width), round(height)
	}
	return width, height
}

// classes are about the pixels of the size classes of FLUX 3.
var classes = map[string]int{"512sq": 512 * 512, "768sq": 768 * 768, "1k": 1 << 20, "2k": 4 << 20, "4k": 16 << 20}

// asked returns the size of the output as the request asks for it.
func (m *model) asked() (width, height int) {
	if m.endpoint.Limits.Size.Square > 0 && m.text("image_size") == "square" {
		return m.endpoint.Limits.Size.Square, m.endpoint.Limits.Size.Square
	}
	switch v := m.value("image_size").(type) {
	case string:
		if p, ok := presets[v]; ok {
			return p[0], p[1]
		}
	case map[string]any:
		side := func(name string) int {
			if literal, ok := v[name].(json.Number); ok {
				if f, err := literal.Float64(); err == nil {
					return int(f)
				}
			}
			return 512
		}
		return side("width"), side("height")
	}
	if w, h := m.integer("target_width", 0), m.integer("target_height", 0); w > 0 && h > 0 {
		return w, h
	}
	area := cmp.Or(classes[m.work.resolution], int(megapixel))
	for _, name := range []string{"aspect_ratio", "resolution_mode"} {
		if w, h, ok := ratio(m.text(name), area); ok {
			return w, h
		}
	}
	n := len(m.work.inputs)
	if n == 0 {
		w, h, _ := ratio("1:1", area)
		return w, h
	}
	if m.work.resolution != "" { // the shape of the first picture
		return within(m.work.inputs[0][0], m.work.inputs[0][1], area, area)
	}
	p := m.work.inputs[0]
	if m.endpoint.Limits.Output.Match == "last" {
		p = m.work.inputs[n-1]
	}
	if m.endpoint.Output == "upscaled" {
		factor := int(m.factor("upscale_factor"))
		p[0], p[1] = max(1, p[0]*factor/1000), max(1, p[1]*factor/1000)
	}
	p[0] += m.integer("expand_left", 0) + m.integer("expand_right", 0)
	p[1] += m.integer("expand_top", 0) + m.integer("expand_bottom", 0)
	limit := m.endpoint.Limits.Output
	return within(p[0], p[1], limit.MinPixels, limit.MaxPixels)
}

// within returns a size of the same shape whose area is within bounds; 0 is no
// bound.
func within(width, height, least, most int) (int, int) {
	area := float64(width) * float64(height)
	if most > 0 && area > float64(most) {
		scale := math.Sqrt(float64(most) / area)
		width, height = int(float64(width)*scale), int(float64(height)*scale)
	} else if area < float64(least) {
		scale := math.Sqrt(float64(least) / area)
		width, height = int(math.Ceil(float64(width)*scale)), int(math.Ceil(float64(height)*scale))
	}
	return min(max(width, 1), schema.MaxSide), min(max(height, 1), schema.MaxSide)
}

// ratio returns a size of about the area, with sides that are multiples of 32,
// for a ratio such as "16:9".
func ratio(text string, area int) (width, height int, ok bool) {
	a, b, found := strings.Cut(text, ":")
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if !found || errX != nil || errY != nil || x < 1 || y < 1 || x > 100 || y > 100 {
		return 0, 0, false
	}
	side := 32
	for (side+32)*(side+32)*y <= area*x {
		side += 32
	}
	return side, max(32, (side*y/x+16)/32*32), true
}

// result returns the output in the shape that the endpoint has.
func (m *model) result() map[string]any {
	result := make(map[string]any)
	for _, f := range m.endpoint.OutputFields {
		switch f.Name {
		case "images":
			images := make([]any, m.work.outputs)
			for i := range images {
				images[i] = m.picture(i, f.Model)
			}
			result["images"] = images
		case "image":
			result["image"] = m.picture(0, f.Model)
		case "seed":
			result["seed"] = m.seed
		case "prompt":
			result["prompt"] = m.prompt
		case "caption":
			result["caption"] = "SIMULATED"
		case "timings":
			result["timings"] = map[string]any{"inference": m.work.seconds.Seconds()}
		case "has_nsfw_concepts":
			flags := make([]any, m.work.outputs)
			for i := range flags {
				flags[i] = m.effects.nsfw
			}
			result["has_nsfw_concepts"] = flags
		default: // files of a training run
			result[f.Name] = m.trained(f.Name)
		}
		if _, isList := result[f.Name].([]any); m.effects.nulls && !isList {
			result[f.Name] = nil
		}
	}
	return result
}

// picture returns one picture of the result.
func (m *model) picture(i int, kind string) map[string]any {
	p := picture{
		width: m.width, height: m.height, format: m.format, seed: m.seed + uint64(i),
		endpoint: m.endpoint.ID, prompt: m.prompt, black: m.effects.nsfw,
	}
	if m.effects.width > 0 {
		p.width, p.height = m.effects.width, m.effects.height
	}
	if m.endpoint.Output == "layers" {
		p.layer, p.layers = i+1, int(m.work.outputs)
	}
	contentType := "image/" + p.format
	if kind == "Frame" { // raw bytes, which JSON has as base64
		return map[string]any{"content": base64.StdEncoding.EncodeToString(p.encode()), "content_type": contentType, "width": p.width, "height": p.height}
	}
	name := fmt.Sprintf("%s/%d.%s", m.id, i, p.format)
	out := map[string]any{"content_type": contentType, "width": p.width, "height": p.height}
	if kind == "ImageFile" {
		out["file_name"], out["file_size"] = fmt.Sprintf("%d.%s", i, p.format), nil
	}
	if m.inline {
		out["url"] = "data:" + contentType + ";base64," + base64.StdEncoding.EncodeToString(p.encode())
	} else {
		out["url"] = m.s.store(m.origin, name, &file{contentType: contentType, draw: p.encode, width: p.width, height: p.height})
	}
	if m.effects.nulls {
		for key := range out {
			if key != "url" {
				out[key] = nil
			}
		}
	}
	return out
}

// trained returns a file of a training run. Weights are an empty but
// well-formed safetensors file.
func (m *model) trained(field string) map[string]any {
	name, contentType := "pytorch_lora_weights.safetensors", "application/octet-stream"
	header := `{"__metadata__":{"format":"pt","simulated":"SIMULATED"}}`
	content := append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...)
	if strings.Contains(field, "config") {
		name, contentType = "config.json", "application/json"
		content = mustJSON(map[string]any{"simulated": true, "endpoint": m.endpoint.ID, "steps": m.work.steps})
	}
	return map[string]any{
		"url":          m.s.store(m.origin, m.id+"/"+name, &file{contentType: contentType, draw: func() []byte { return content }}),
		"content_type": contentType, "file_name": name, "file_size": len(content),
	}
}
