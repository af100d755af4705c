package fal

import (
	"errors"
	"fmt"
)

// NotSent reports whether nothing of a request can have reached fal, so that it
// was not charged and may be sent again: it was refused on this side, its files
// could not be uploaded, or the connection failed before the request was
// written. It works on the errors of every package of this module. Of errors
// that are joined, it is true only if it is true of each.
//
// An error of another origin can say so of itself by a method NotSent() bool.
func NotSent(err error) bool {
	if err == nil {
		return false
	}
	switch e := err.(type) { //nolint:errorlint // the tree is walked here
	case interface{ NotSent() bool }:
		return e.NotSent()
	case interface{ Charged() Billing }:
		return false
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if !NotSent(inner) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	}
	return NotSent(errors.Unwrap(err))
}

// Charged says whether what failed was charged. It works on the errors of every
// package of this module. Of errors that are joined, it is as bad as the worst:
// billed if any was, and else unknown if any is. Without an error the request
// was done, and billed.
//
// An error of another origin can say so of itself by a method
// Charged() fal.Billing, or NotSent() bool.
func Charged(err error) Billing {
	if err == nil {
		return Billed
	}
	switch e := err.(type) { //nolint:errorlint // the tree is walked here
	case interface{ Charged() Billing }:
		return e.Charged()
	case interface{ NotSent() bool }:
		if e.NotSent() {
			return NotBilled
		}
		return BillingUnknown
	case interface{ Unwrap() []error }:
		worst := BillingUnknown
		for i, inner := range e.Unwrap() {
			billing := Charged(inner)
			if i == 0 || billing == Billed || worst == NotBilled {
				worst = billing
			}
			if worst == Billed {
				break
			}
		}
		return worst
	}
	if inner := errors.Unwrap(err); inner != nil {
		return Charged(inner)
	}
	return BillingUnknown
}

// RequestID returns the request id that an error carries, or "": what to give
// to [Resume], or to tell support. It works on the errors of every package of
// this module; of errors that are joined, it is that of the first that has one.
func RequestID(err error) string {
	if e, ok := err.(interface{ requestID() string }); ok {
		if id := e.requestID(); id != "" {
			return id
		}
	}
	switch e := err.(type) { //nolint:errorlint // the tree is walked here
	case interface{ Unwrap() error }:
		return RequestID(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if id := RequestID(inner); id != "" {
				return id
			}
		}
	}
	return ""
}

// notSentError is an error that came before anything was sent.
type notSentError struct{ error }

func (e notSentError) Unwrap() error { return e.error }

// NotSent returns true.
func (e notSentError) NotSent() bool { return true }

// notSent marks an error that came before anything was sent.
func notSent(err error) error {
	if NotSent(err) {
		return err
	}
	return notSentError{err}
}

// notSentTo is notSent that says so, and to whom.
func notSentTo(endpoint string, err error) error {
	return notSentError{fmt.Errorf("fal: %s: not sent: %w", endpoint, within(endpoint, err))}
}
