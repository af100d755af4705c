package fal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A result has been paid for: nothing that is odd about it may cost the
// picture. What follows reads each field as far as it goes.

// UnmarshalJSON reads a picture. Fields of another type than documented are
// read as far as they go and else left out.
func (i *Image) UnmarshalJSON(data []byte) error {
	var v looseImage
	if err := json.Unmarshal(data, &v); !tolerant(err) {
		return err
	}
	*i = v.image()
	return nil
}

// UnmarshalJSON reads a file. Fields of another type than documented are read
// as far as they go and else left out.
func (f *OutputFile) UnmarshalJSON(data []byte) error {
	var v looseImage
	if err := json.Unmarshal(data, &v); !tolerant(err) {
		return err
	}
	*f = OutputFile{URL: string(v.URL), ContentType: string(v.ContentType), FileName: string(v.FileName), FileSize: v.FileSize.int64()}
	return nil
}

// UnmarshalJSON reads a result of several pictures, or of one under the name
// "image". Pictures without a URL are left out, and fields of another type than
// documented are read as far as they go.
func (r *Images) UnmarshalJSON(data []byte) error {
	v := struct {
		Meta            Meta         `json:"meta"`
		Images          []looseImage `json:"images"`
		Image           looseImage   `json:"image"`
		Seed            looseNumber  `json:"seed"`
		Prompt          looseString  `json:"prompt"`
		HasNSFWConcepts looseFlags   `json:"has_nsfw_concepts"`
		Timings         looseTimings `json:"timings"`
	}{}
	if err := json.Unmarshal(data, &v); !tolerant(err) {
		return err
	}
	*r = Images{Meta: v.Meta, Seed: v.Seed.uint64(), Prompt: string(v.Prompt), Timings: v.Timings}
	if len(v.Images) == 0 {
		v.Images = []looseImage{v.Image}
	}
	for i, image := range v.Images {
		if image.URL == "" {
			continue
		}
		r.Images = append(r.Images, image.image())
		if v.HasNSFWConcepts != nil {
			r.HasNSFWConcepts = append(r.HasNSFWConcepts, i < len(v.HasNSFWConcepts) && v.HasNSFWConcepts[i])
		}
	}
	return nil
}

// looseImage is an [Image] or [OutputFile] with fields of any type.
type looseImage struct {
	URL         looseString `json:"url"`
	Width       looseNumber `json:"width"`
	Height      looseNumber `json:"height"`
	ContentType looseString `json:"content_type"`
	FileName    looseString `json:"file_name"`
	FileSize    looseNumber `json:"file_size"`
}

func (v looseImage) image() Image {
	return Image{
		URL: string(v.URL), Width: v.Width.side(), Height: v.Height.side(),
		ContentType: string(v.ContentType), FileName: string(v.FileName), FileSize: v.FileSize.int64(),
	}
}

// looseString is a text, or nothing.
type looseString string

func (s *looseString) UnmarshalJSON(data []byte) error {
	if last := len(data) - 1; last > 0 && data[0] == '"' && bytes.IndexByte(data, '\\') < 0 && utf8.Valid(data) {
		*s = looseString(data[1:last]) // the usual case, at a fraction of the cost
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		*s = looseString(text)
	}
	return nil
}

// looseNumber is a number as it was written, be it in quotes or with a decimal
// point; or nothing.
type looseNumber string

func (n *looseNumber) UnmarshalJSON(data []byte) error {
	if !bytes.ContainsFunc(data, notDigit) {
		*n = looseNumber(data) // the usual case
		return nil
	}
	text := strings.TrimSpace(strings.Trim(string(data), `"`))
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		*n = looseNumber(text)
	}
	return nil
}

func notDigit(r rune) bool { return r < '0' || r > '9' }

// uint64 returns a whole number that is not negative, or 0.
func (n looseNumber) uint64() uint64 {
	if n == "" {
		return 0
	}
	if whole, err := strconv.ParseUint(string(n), 10, 64); err == nil {
		return whole
	}
	f, _ := strconv.ParseFloat(string(n), 64)
	if f < 0 || f >= math.MaxUint64 || f != math.Trunc(f) {
		return 0
	}
	return uint64(f)
}

func (n looseNumber) int64() int64 {
	if whole := n.uint64(); whole <= math.MaxInt64 {
		return int64(whole)
	}
	return 0
}

// side returns the number of pixels of a side, or 0.
func (n looseNumber) side() int {
	if whole := n.uint64(); whole <= math.MaxInt32 {
		return int(whole)
	}
	return 0
}

// looseFlags is a list of truths, or one truth for all.
type looseFlags []bool

func (f *looseFlags) UnmarshalJSON(data []byte) error {
	var list []any
	var one bool
	switch {
	case json.Unmarshal(data, &list) == nil:
		for _, v := range list {
			flag, _ := v.(bool)
			*f = append(*f, flag)
		}
	case json.Unmarshal(data, &one) == nil:
		*f = looseFlags{one}
	}
	return nil
}

// looseTimings are the numbers among named values.
type looseTimings map[string]float64

func (t *looseTimings) UnmarshalJSON(data []byte) error {
	var values map[string]any
	_ = json.Unmarshal(data, &values) // what is no object has none
	for name, v := range values {
		if seconds, ok := v.(float64); ok {
			if *t == nil {
				*t = make(looseTimings, len(values))
			}
			(*t)[name] = seconds
		}
	}
	return nil
}

// errNoPicture says that there is nothing to fetch in a result.
var errNoPicture = errors.New("it has no picture: no file with a URL is in it")

// missing returns an error if there is nothing to fetch in a result whose type
// says that there is: fields of type [Image] or [OutputFile], or lists of
// these. Found says that there is something.
func missing(out any) (found bool, err error) {
	v := reflect.Indirect(reflect.ValueOf(out))
	if t, ok := out.(*Training); ok {
		v = reflect.ValueOf(&struct{ LoRA OutputFile }{t.LoRA}).Elem()
	}
	if v.Kind() != reflect.Struct {
		return false, nil
	}
	wanted := false
	for _, field := range v.Fields() {
		if !field.CanInterface() {
			continue
		}
		switch field := field.Addr().Interface().(type) { // an address is not copied
		case *Image:
			wanted, found = true, found || field.URL != ""
		case *OutputFile:
			wanted, found = true, found || field.URL != ""
		case *[]Image:
			wanted = true
			for _, image := range *field {
				found = found || image.URL != ""
			}
		case *[]OutputFile:
			wanted = true
			for _, file := range *field {
				found = found || file.URL != ""
			}
		}
	}
	if wanted && !found {
		return false, errNoPicture
	}
	return found, nil
}

// decode turns a result into its type. What does not fit is left out and
// reported, unless what was paid for is there; nothing that arrived is thrown
// away. An answer that is no JSON is an [errNotJSON].
func decode[Out any](meta Meta, body []byte) (*Out, error) {
	out := new(Out)
	var err error
	if n := values(body); n > maxResultValues && reflect.TypeFor[Out]() != reflect.TypeFor[json.RawMessage]() {
		err = fmt.Errorf("%w: it has %d values, at most %d are read", errTooLong, n, maxResultValues)
	} else if images, ok := any(out).(*Images); ok {
		err = images.UnmarshalJSON(body) // without looking at all of it twice
	} else {
		err = json.Unmarshal(body, out)
	}
	if m, ok := any(out).(metaSetter); ok {
		m.setMeta(meta)
	}
	charged := Billed
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		err = fmt.Errorf("%w: %w", errNotJSON, err)
	} else if found, lack := missing(out); err == nil || found && tolerant(err) {
		err = lack
	}
	if err == nil {
		return out, nil
	}
	if meta.BillableUnits == "" && (errors.Is(err, errNotJSON) || errors.Is(err, errNoPicture) || errors.Is(err, errTooLong)) {
		charged = BillingUnknown // it may not be fal's answer
	}
	return out, &DecodeError{Endpoint: meta.Endpoint, RequestID: meta.RequestID, Body: body, Err: err, billing: charged}
}

// errNotJSON says that an answer is no result at all.
var errNotJSON = errors.New("the answer is not JSON")

// meta describes a direct call whose answer came.
func (p *prepared) meta(resp *http.Response, start time.Time) Meta {
	return Meta{
		Endpoint: p.endpoint, RequestID: p.c.requestID(resp.Header.Get("X-Fal-Request-Id")),
		BillableUnits: shorten(p.c.clean(resp.Header.Get("X-Fal-Billable-Units"))), Elapsed: time.Since(start),
	}
}

// toldInResult returns the error that an answer without an error status and
// without a picture tells of, or nil.
func (c *Client) toldInResult(body []byte, err error) *Error {
	if !errors.Is(err, errNoPicture) {
		return nil
	}
	if e, ofForm := parseErrorBody(body, c.clean); ofForm {
		return &e
	}
	return nil
}
