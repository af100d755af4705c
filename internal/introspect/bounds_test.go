package introspect_test

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/catalog"
)

// TestNumbers hits every bound of every number from both sides.
func TestNumbers(t *testing.T) {
	t.Parallel()
	forAll(t, func(t *testing.T, s subject) {
		for _, f := range s.Fields {
			if f.Type == catalog.Integer || f.Type == catalog.Number {
				s.probeNumber(t, &f)
			}
			if f.Type == catalog.Seed && f.Max != nil {
				s.accepts(t, &f, func(v reflect.Value) { v.Set(reflect.ValueOf(fal.Seed(uint64(*f.Max)))) })
				s.refuses(t, &f, func(v reflect.Value) { v.Set(reflect.ValueOf(fal.Seed(uint64(*f.Max) + 1))) })
			}
		}
	})
}

func (s subject) probeNumber(t *testing.T, f *catalog.Field) {
	t.Helper()
	for _, allowed := range f.Enum {
		n, err := strconv.Atoi(allowed)
		if err != nil {
			t.Fatal(err)
		}
		s.accepts(t, f, setTo(float64(n)))
		s.refuses(t, f, setTo(float64(n+1)))
	}
	step := 1.0
	if f.Type == catalog.Number {
		step = 1e-9
	}
	if f.MultipleOf != 0 {
		step = f.MultipleOf
		s.refuses(t, f, setTo(*f.Min+step/2))
	}
	if f.Min != nil {
		s.accepts(t, f, setTo(*f.Min))
		s.refuses(t, f, setTo(outside(f, *f.Min-step)))
	}
	if f.Max != nil {
		s.accepts(t, f, setTo(*f.Max))
		s.refuses(t, f, setTo(*f.Max+step))
	}
	if f.Above != nil {
		s.accepts(t, f, setTo(*f.Above+1e-9))
		s.refuses(t, f, setTo(outside(f, *f.Above)))
	}
	if f.Type == catalog.Number {
		s.refuses(t, f, setTo(math.NaN()))
	}
}

// outside steps below 0 where 0 would mean that a plain field is left out.
func outside(f *catalog.Field, n float64) float64 {
	if n == 0 && !f.Pointer {
		return -max(f.MultipleOf, 1)
	}
	return n
}

func setTo(n float64) func(reflect.Value) {
	return func(v reflect.Value) {
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			v = v.Elem()
		}
		setNumber(v, n)
	}
}

// accepts fails the test if a minimal request with the field set is refused.
func (s subject) accepts(t *testing.T, f *catalog.Field, set func(reflect.Value)) {
	t.Helper()
	request := s.with(f, set)
	if p := problems(t, request); len(p) > 0 {
		t.Errorf("%s: %v", f.Name, p)
	}
}

// refuses fails the test unless a minimal request with the field set has
// exactly one problem, with that field.
func (s subject) refuses(t *testing.T, f *catalog.Field, set func(reflect.Value)) {
	t.Helper()
	request := s.with(f, set)
	p := problems(t, request)
	if len(p) != 1 || p[0].Field != f.Name && !strings.HasPrefix(p[0].Field, f.Name+"[") {
		t.Errorf("%s set in %+v: problems %v, want one", f.Name, request, p)
	}
}

// TestLengths hits every limit of texts, enums and counts.
func TestLengths(t *testing.T) {
	t.Parallel()
	forAll(t, func(t *testing.T, s subject) {
		for _, f := range s.Fields {
			switch f.Type {
			case catalog.String:
				if f.MaxLength > 0 {
					s.accepts(t, &f, func(v reflect.Value) { v.SetString(strings.Repeat("ü", f.MaxLength)) })
					s.refuses(t, &f, func(v reflect.Value) { v.SetString(strings.Repeat("ü", f.MaxLength+1)) })
				}
			case catalog.Enum:
				for _, value := range f.Enum {
					s.accepts(t, &f, func(v reflect.Value) { v.SetString(value) })
				}
				unknown := func(v reflect.Value) { v.SetString("no such value") }
				if f.Open {
					s.accepts(t, &f, unknown)
				} else {
					s.refuses(t, &f, unknown)
				}
			case catalog.File:
				s.refuses(t, &f, func(v reflect.Value) { v.Set(reflect.ValueOf(fal.URL("ftp://example.com/x"))) })
			case catalog.Files:
				s.probeFiles(t, &f)
			case catalog.List:
				s.probeLoRAs(t, &f)
			}
		}
	})
}

func (s subject) probeFiles(t *testing.T, f *catalog.Field) {
	t.Helper()
	files := func(n int) func(reflect.Value) {
		return func(v reflect.Value) { v.Set(reflect.ValueOf(sampleFiles(f, s.Endpoint, n))) }
	}
	limit := s.Limits.Files[f.Name]
	s.refuses(t, f, func(v reflect.Value) { v.Set(reflect.ValueOf([]fal.File{fal.URL("/etc/passwd")})) })
	if limit.Max > 0 {
		s.accepts(t, f, files(limit.Max))
		s.refuses(t, f, files(limit.Max+1))
	}
	if limit.WarnMax > 0 {
		s.doubts(t, f, files(limit.WarnMax), limit.WarnMax < limit.WarnMin)
		s.doubts(t, f, files(limit.WarnMax+1), true)
	}
	if limit.WarnMin > 1 {
		s.doubts(t, f, files(limit.WarnMin-1), true)
	}
}

// doubts fails the test unless the request is accepted and its usage has a
// doubt if it should.
func (s subject) doubts(t *testing.T, f *catalog.Field, set func(reflect.Value), want bool) {
	t.Helper()
	s.accepts(t, f, set)
	request := s.with(f, set)
	// The sample prompt mentions no picture, which is doubted too.
	doubts := slices.DeleteFunc(usage(t, request).Doubts, func(p fal.Problem) bool { return strings.Contains(p.Message, "never mentions") })
	if got := len(doubts) > 0; got != want {
		t.Errorf("%+v: doubts %v, want any: %t", request, doubts, want)
	}
}

func usage(t *testing.T, request any) fal.Usage {
	t.Helper()
	u, ok := request.(interface{ Usage() fal.Usage })
	if !ok {
		t.Fatalf("%T has no Usage", request)
	}
	return u.Usage()
}

func (s subject) probeLoRAs(t *testing.T, f *catalog.Field) {
	t.Helper()
	if f.Name != "loras" {
		return
	}
	weights := func(n int) func(reflect.Value) {
		return func(v reflect.Value) {
			list := reflect.MakeSlice(v.Type(), n, n)
			for i := range n {
				list.Index(i).FieldByName("Path").SetString("owner/weights")
			}
			v.Set(list)
		}
	}
	most := s.Limits.LoRAs
	if most == 0 {
		s.accepts(t, f, weights(20))
		return
	}
	s.accepts(t, f, weights(most))
	s.refuses(t, f, weights(most+1))
	s.refuses(t, f, func(v reflect.Value) {
		weights(1)(v)
		v.Index(0).FieldByName("Path").SetString(" ")
	})
}

// TestSizes hits the limits of image sizes.
func TestSizes(t *testing.T) {
	t.Parallel()
	forAll(t, func(t *testing.T, s subject) {
		f, ok := s.Field("image_size")
		if !ok {
			return
		}
		size := func(size fal.ImageSize) func(reflect.Value) {
			return func(v reflect.Value) { v.Set(reflect.ValueOf(size)) }
		}
		limit := s.Limits.Size
		s.accepts(t, f, size(fal.SquareHD))
		s.refuses(t, f, size("giant"))
		if f.Auto {
			s.accepts(t, f, size(fal.AutoSize))
		} else {
			s.refuses(t, f, size(fal.AutoSize))
		}
		switch {
		case limit.PresetsOnly:
			s.refuses(t, f, size(fal.Size(1024, 1024)))
		case limit.MaxSide > 0:
			s.accepts(t, f, size(fal.Size(limit.MinSide, limit.MaxSide)))
			s.refuses(t, f, size(fal.Size(limit.MinSide-1, limit.MaxSide)))
			s.refuses(t, f, size(fal.Size(limit.MinSide, limit.MaxSide+1)))
		case limit.MaxArea > 0:
			s.accepts(t, f, size(fal.Size(256, 1024))) // an area rule, not one of sides
			s.accepts(t, f, size(fal.Size(2048, 2048)))
			s.refuses(t, f, size(fal.Size(511, 512)))
			s.refuses(t, f, size(fal.Size(2049, 2048)))
		default:
			s.accepts(t, f, size(fal.Size(1, 14142)))
			s.refuses(t, f, size(fal.Size(14143, 16)))
			s.refuses(t, f, size(fal.Size(0, 16)))
		}
		if limit.WarnMaxArea > 0 {
			s.doubts(t, f, size(fal.Size(1920, 1080)), false)
			s.doubts(t, f, size(fal.Size(2048, 2064)), true)
		}
		if limit.WarnMinSide > 0 {
			s.doubts(t, f, size(fal.Size(limit.WarnMinSide-16, 1024)), true)
		}
	})
}

// TestObjects hits the bounds of the numbers inside the objects of requests.
func TestObjects(t *testing.T) {
	t.Parallel()
	for _, s := range subjects(t) {
		if s.ID != "fal-ai/flux-general" {
			continue
		}
		full := reflect.ValueOf(s.full())
		for _, f := range s.Fields {
			if f.Type == catalog.List {
				probeObject(t, s, full, f.Go, f.Name+"[0]", catalog.ModelOf(f.Model).Fields)
			}
		}
	}
}

// probeObject sets the numbers of the first object in a list to values that
// must be refused.
func probeObject(t *testing.T, s subject, full reflect.Value, list, path string, fields []catalog.Field) {
	t.Helper()
	try := func(f *catalog.Field, set func(reflect.Value)) {
		t.Helper()
		v := reflect.New(full.Type()).Elem()
		v.Set(full)
		items := reflect.MakeSlice(v.FieldByName(list).Type(), 1, 1)
		items.Index(0).Set(full.FieldByName(list).Index(0))
		set(items.Index(0).FieldByName(f.Go))
		v.FieldByName(list).Set(items)
		if p := problems(t, v.Interface()); len(p) != 1 || !strings.HasPrefix(p[0].Field, path+"."+f.Name) {
			t.Errorf("%s: %s.%s: problems %v, want one", s.ID, path, f.Name, p)
		}
	}
	for _, f := range fields {
		if f.Required {
			try(&f, reflect.Value.SetZero)
		}
		if f.Min != nil {
			try(&f, setTo(outside(&f, *f.Min-1e-9)))
		}
		if f.Max != nil {
			try(&f, setTo(*f.Max+1e-9))
		}
		if f.Type == catalog.Number && f.Pointer {
			try(&f, setTo(math.Inf(1)))
		}
	}
}

// TestMentions checks prompts that refer to pictures by number.
func TestMentions(t *testing.T) {
	t.Parallel()
	forAll(t, func(t *testing.T, s subject) {
		if !s.Limits.Mentions {
			return
		}
		two := func(prompt string) any {
			v := reflect.New(reflect.TypeOf(s.minimal())).Elem()
			v.Set(reflect.ValueOf(s.minimal()))
			f, _ := s.Field("image_urls")
			v.FieldByName("ImageURLs").Set(reflect.ValueOf(sampleFiles(f, s.Endpoint, 2)))
			v.FieldByName("Prompt").SetString(prompt)
			return v.Interface()
		}
		if p := problems(t, two("@image1 beside @Image2")); len(p) > 0 {
			t.Errorf("good references: %v", p)
		}
		if p := problems(t, two("@image1 beside @image3")); len(p) != 1 || p[0].Field != "prompt" {
			t.Errorf("a reference without a file: %v", p)
		}
		if d := usage(t, two("a mug like @image1")).Doubts; len(d) != 1 || d[0].Field != "image_urls[1]" {
			t.Errorf("a file that is never mentioned: doubts %v, want one", d)
		}
	})
}

// TestPromptDoubts checks what every prompt is doubted for, and those of FLUX.2
// for colours.
func TestPromptDoubts(t *testing.T) {
	t.Parallel()
	forAll(t, func(t *testing.T, s subject) {
		if _, ok := s.Field("prompt"); !ok {
			return
		}
		v := reflect.New(reflect.TypeOf(s.minimal())).Elem()
		v.Set(reflect.ValueOf(s.minimal()))
		doubts := func(prompt string) []fal.Problem {
			v.FieldByName("Prompt").SetString(prompt)
			return slices.DeleteFunc(usage(t, v.Interface()).Doubts, func(p fal.Problem) bool { return p.Field != "prompt" })
		}
		usual := len(doubts("a mug, me@image9.com"))
		if d := doubts("a mug like @image9"); len(d) != usual+1 {
			t.Errorf("a reference without a file: doubts %v", d)
		}
		want := usual
		if strings.HasPrefix(s.ID, "fal-ai/flux-2") {
			want++
		}
		if d := doubts("a mug in color #12345"); len(d) != want {
			t.Errorf("a bad colour: doubts %v, want %d", d, want)
		}
	})
}
