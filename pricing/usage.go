package pricing

import (
	"reflect"
	"sync"

	"github.com/falimage/falimage-go/fal"
)

// errNil is the error for a request that is nil.
var errNil error = &UnknownError{Endpoint: "this request", Reason: "it is nil"}

// user is a request that tells what it will be charged for.
type user interface{ Usage() fal.Usage }

// boxes holds pointers to request values that are not in use.
var boxes sync.Pool

// usageOf returns what a request says it will be charged for.
//
// To call a method that its type may or may not have, the request must be in
// an interface, which would allocate room for it at each call. The pointer to
// a box that is used again goes into an interface for free, and has all the
// methods of what it points to. Requests that are pointers or interfaces
// already need no box.
func usageOf[Out any, T fal.Request[Out]](r T) (u fal.Usage, err error) {
	var zero T
	if _, ok := any(zero).(user); ok {
		box, ok := boxes.Get().(*T)
		if !ok {
			box = new(T)
		}
		if boxed, ok := any(box).(user); ok {
			*box = r
			u = boxed.Usage()
			*box = zero // keep nothing of the request
			boxes.Put(box)
			return u, nil
		}
	}
	if v := reflect.ValueOf(r); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return u, errNil
	}
	switch r := any(r).(type) {
	case user:
		return r.Usage(), nil
	}
	return fal.Usage{Endpoint: string(r.Endpoint())}, nil
}
