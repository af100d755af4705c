package provenance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/falimage/falimage-go/fal"
)

// ErrNoSeed says that a picture cannot be made again: its record has no seed,
// or not the request. The error of [Reproduce] then has the id of the request,
// see [fal.RequestID], for [fal.Resume].
var ErrNoSeed = errors.New("the picture cannot be made again: its record has no request with a seed")

// Decoder turns the body of a request to an endpoint into a typed request, as
// flux.Decode and qwen.Decode do. Its error is a [*fal.ValidationError], or
// says that it does not know the endpoint.
type Decoder = func(endpoint string, body []byte) (any, error)

// Reproduce returns the request that makes the picture of a record again, with
// its seed: of the type that the first of the decoders gives which knows the
// endpoint, or else as a [fal.Call].
//
// Files that were uploaded with the request are looked for by their content
// among those that are given; one that is missing is an error that names its
// field. Without a seed to make the picture again, the error is a
// [*fal.JobError] with [ErrNoSeed] and the request id.
func Reproduce[Out any](r Record, files []fal.File, decoders ...Decoder) (fal.Request[Out], error) {
	if r.Seed == nil || len(r.Input) == 0 {
		return nil, &fal.JobError{Endpoint: r.Endpoint, RequestID: r.RequestID, Err: ErrNoSeed}
	}
	req, err := decode[Out](r, decoders)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]fal.File, len(files))
	for _, f := range files {
		name, err := nameOf(f)
		if err != nil {
			return nil, fmt.Errorf("provenance: %v: %w", f, err)
		}
		u, _ := name.URL()
		byName[u] = f
	}
	return fal.MapFiles(req, func(field string, f fal.File) (fal.File, error) {
		u, _ := f.URL()
		hash, local := strings.CutPrefix(u, uploaded)
		if given, ok := byName[u]; ok {
			return given, nil
		}
		if local {
			return f, fmt.Errorf("provenance: %s: the file with SHA-256 %.64s that was uploaded is needed: give it to Reproduce", field, hash)
		}
		return f, nil
	})
}

func decode[Out any](r Record, decoders []Decoder) (fal.Request[Out], error) {
	for _, decode := range decoders {
		decoded, err := decode(r.Endpoint, r.Input)
		if _, known := errors.AsType[*fal.ValidationError](err); known {
			return nil, err
		}
		if err != nil {
			continue // it does not know the endpoint
		}
		req, ok := decoded.(fal.Request[Out])
		if !ok {
			return nil, fmt.Errorf("provenance: %s: the result of a %T is not a %T", r.Endpoint, decoded, *new(Out))
		}
		return req, nil
	}
	var input map[string]any
	dec := json.NewDecoder(bytes.NewReader(r.Input))
	dec.UseNumber()
	if err := dec.Decode(&input); err != nil {
		return nil, fmt.Errorf("provenance: the request in the record is no JSON object: %w", err)
	}
	return fal.Call[Out]{ID: fal.Endpoint[Out](r.Endpoint), Input: withFiles(input)}, nil
}

// withFiles makes files of the addresses that stand for some.
func withFiles(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			v[name] = withFiles(item)
		}
	case []any:
		for i, item := range v {
			v[i] = withFiles(item)
		}
	case string:
		if strings.HasPrefix(v, uploaded) {
			return fal.URL(v)
		}
	}
	return v
}
