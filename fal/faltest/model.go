package faltest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	_ "image/gif"  // for the size of pictures sent along
	_ "image/jpeg" // likewise
	_ "image/png"  // likewise
	"math/rand/v2"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	_ "golang.org/x/image/webp" // likewise

	"github.com/falimage/falimage-go/internal/catalog"
)

// known reports whether there is an endpoint with the id.
func known(id string) bool {
	_, ok := catalog.Lookup(id)
	return ok
}

// perform does what a model would do with a request: it checks it, makes what
// was asked for, and bills it.
func (s *Server) perform(id string, header http.Header, body []byte, requestID string, e effects) answer {
	endpoint, ok := catalog.Lookup(id)
	if !ok {
		return answer{
			status: http.StatusNotFound, header: map[string]string{"X-Fal-Billable-Units": "0"},
			body: mustJSON(map[string]string{"detail": "Path /" + id + " not found"}),
		}
	}
	in, problems := decodeInput(body)
	if kind, _, _ := mime.ParseMediaType(cmp.Or(header.Get("Content-Type"), "application/json")); kind != "application/json" {
		// What is said to be something else is not read as JSON (unconfirmed).
		problems = []problem{{Loc: []any{"body"}, Msg: "Input should be a valid dictionary", Type: "model_attributes_type"}}
	}
	if problems == nil {
		c := checker{s: s}
		c.object([]any{"body"}, endpoint.Fields, in)
		problems = c.problems
	}
	if len(problems) > 0 {
		return invalid(problems)
	}
	if e.failure != nil {
		return *e.failure
	}
	m := &model{s: s, endpoint: endpoint, in: in, id: requestID, effects: e}
	m.read()
	result := m.result()
	if e.extras {
		result["brand_new_field"] = map[string]any{"deep": []int{1, 2}}
	}
	return answer{
		status: http.StatusOK,
		header: map[string]string{"X-Fal-Billable-Units": units(endpoint, m.work)},
		body:   mustJSON(result),
	}
}

// model is one request being worked on.
type model struct {
	s        *Server
	endpoint *catalog.Endpoint
	in       map[string]any
	id       string
	effects  effects

	work   work
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
	}
	m.seed = rand.Uint64() >> 1
	if f, ok := m.endpoint.Field("seed"); ok && f.Max != nil {
		m.seed = rand.Uint64N(uint64(*f.Max))
	}
	if literal, ok := m.in["seed"].(json.Number); ok {
		m.seed, _ = strconv.ParseUint(literal.String(), 10, 64) // checked before
	}
	m.work.outputs = m.integer("num_images", 1)
	if m.endpoint.Output == "layers" {
		m.work.outputs = m.integer("num_layers", 4)
	}
	m.work.steps = m.integer("num_inference_steps", 0)
	if m.endpoint.Task == "train" {
		m.work.steps = m.integer("steps", m.integer("iter_multiplier", 1)*1000)
	}
	m.work.seconds = m.s.runTime.Seconds()
	m.work.inputs = m.inputs()
	m.work.width, m.work.height = m.size()
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

// dimensions returns the size of a picture by its URL. This server fetches
// nothing: what is elsewhere is taken to be 1024 by 1024.
func (s *Server) dimensions(u string) [2]int {
	content, here, _ := s.stored(u)
	if data, ok := strings.CutPrefix(u, "data:"); ok {
		_, text, _ := strings.Cut(data, ",")
		content, _ = base64.StdEncoding.DecodeString(text)
		here = true
	}
	if here {
		if c, _, err := image.DecodeConfig(bytes.NewReader(content)); err == nil {
			return [2]int{c.Width, c.Height}
		}
	}
	return [2]int{1024, 1024}
}

// size returns the size of the output.
func (m *model) size() (width, height int) {
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
	for _, name := range []string{"aspect_ratio", "resolution_mode"} {
		if w, h, ok := ratio(m.text(name)); ok {
			return w, h
		}
	}
	if n := len(m.work.inputs); n > 0 {
		p := m.work.inputs[0]
		if m.endpoint.Limits.Output.Match == "last" {
			p = m.work.inputs[n-1]
		}
		if m.endpoint.Output == "upscaled" {
			factor := max(m.integer("upscale_factor", 2), 1)
			p[0], p[1] = p[0]*factor, p[1]*factor
		}
		return min(p[0], maxSide), min(p[1], maxSide)
	}
	return 1024, 1024
}

// ratio returns a size of about one megapixel, with sides that are multiples
// of 32, for a ratio such as "16:9".
func ratio(text string) (width, height int, ok bool) {
	a, b, found := strings.Cut(text, ":")
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if !found || errX != nil || errY != nil || x < 1 || y < 1 || x > 100 || y > 100 {
		return 0, 0, false
	}
	side := 32
	for (side+32)*(side+32)*y <= megapixel*x {
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
			result["timings"] = map[string]any{"inference": m.work.seconds}
		case "has_nsfw_concepts":
			flags := make([]bool, m.work.outputs)
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
		width: m.work.width, height: m.work.height, format: m.format, seed: m.seed + uint64(i),
		endpoint: m.endpoint.ID, prompt: m.prompt, black: m.effects.nsfw,
	}
	if m.effects.width > 0 {
		p.width, p.height = m.effects.width, m.effects.height
	}
	if m.endpoint.Output == "layers" {
		p.layer, p.layers = i+1, m.work.outputs
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
		out["url"] = m.s.store(name, contentType, p.encode)
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
		"url":          m.s.store(m.id+"/"+name, contentType, func() []byte { return content }),
		"content_type": contentType, "file_name": name, "file_size": len(content),
	}
}
