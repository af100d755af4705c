package fal

import "errors"

// Endpoint is the id of a model on fal, such as "fal-ai/flux-2-pro", together
// with the Go type its result decodes into.
type Endpoint[Out any] string

// Request is the input of one model. Its JSON encoding is the body that is
// sent; its endpoint says where to and what comes back. The types of packages
// flux and qwen are requests; [Call] makes one for any other endpoint.
//
// A request may also have any of these methods, which this package then uses:
//
//	Validate() error  // checked before anything is sent; returns a *ValidationError
//	Usage() Usage     // what it will be charged for; package pricing reads it
//
// Files ([File]) are found wherever they are in a request, and are uploaded
// when it is sent.
type Request[Out any] interface {
	Endpoint() Endpoint[Out]
}

// The optional methods of a request.
type (
	validator interface{ Validate() error }
	user      interface{ Usage() Usage }
)

// Seed returns a pointer to n, for the Seed field of a request. To replay an
// image, pass the seed of its result: &out.Seed.
func Seed(n uint64) *uint64 { return new(n) }

func validate(r any) error {
	if v, ok := r.(validator); ok {
		return v.Validate()
	}
	return nil
}

// findProblems returns what is wrong with a request. The error is one that does
// not list it.
func findProblems(r any) ([]Problem, error) {
	err := validate(r)
	if invalid, ok := errors.AsType[*ValidationError](err); ok {
		return invalid.Problems, nil
	}
	return nil, err
}

func usage(r any) Usage {
	if u, ok := r.(user); ok {
		return u.Usage()
	}
	return Usage{}
}
