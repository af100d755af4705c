package fal

import (
	"context"
	"encoding/json"
	"maps"
)

// Guard is asked before each request that may cost money, and told how it
// ended. A budget is a guard: see package pricing. Set one for all requests in
// [Client.Guard] or for one by [WithGuard]. It is called by many goroutines at
// once.
type Guard interface {
	// Reserve is called after the request was validated and before anything
	// is sent. Tags are those of the request, if any. An error refuses the
	// request: it is returned as it is and nothing is sent.
	Reserve(ctx context.Context, u Usage, tags map[string]string) (Reservation, error)
}

// GuardOf returns the guard that is asked before a request with the options: that of
// [WithGuard], or else the client's, or nil. Tags are those that it is told, of
// [WithTags]. It is for who asks a guard about a work of many requests before the
// first is sent.
func (c *Client) GuardOf(opts ...Option) (g Guard, tags map[string]string) {
	if c != nil {
		g = c.Guard
	}
	o := applyOptions(opts)
	return o.guardOr(g), maps.Clone(o.tags)
}

// guardOr returns the guard of the options, or else that of the client.
func (o *options) guardOr(g Guard) Guard {
	if o.guard != nil {
		return o.guard
	}
	return g
}

// Reservation is the money set aside for one request. Its methods are called
// in the order in which they are listed, each at most once. When it is unknown whether fal
// accepted the request, none of them is: the money may have been spent.
//
// A reservation may also have a method Sending(payload json.RawMessage) error. It
// is called before the others, with the body that is about to be sent; an error
// refuses the request, as one of Reserve does. What is noted there can be looked
// for in fal's history after a lost answer, so the request is given a seed as if
// [Client.FixSeeds] were set.
type Reservation interface {
	// Accepted is called when fal took a job into its queue.
	Accepted(requestID string)
	// Settled is called when a result arrived, with what was billed for it.
	Settled(Meta)
	// Released is called when the request failed and was not charged.
	Released(err error)
}

// notingReservation is a Reservation that is told what is sent.
type notingReservation interface {
	Sending(payload json.RawMessage) error
}
