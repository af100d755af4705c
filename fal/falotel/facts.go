package falotel

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"reflect"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// errorType returns a short name of an error: fal's own where it has one.
func errorType(err error) string {
	if _, ok := errors.AsType[*fal.OutcomeUnknownError](err); ok {
		return "outcome_unknown" // whatever is inside: it may have been paid
	}
	if e, ok := errors.AsType[*fal.Error](err); ok {
		if e.Type != "" {
			return e.Type
		}
		return strconv.Itoa(e.Status)
	}
	if _, ok := errors.AsType[*fal.ValidationError](err); ok {
		return "invalid_request"
	}
	if _, ok := errors.AsType[*fal.DecodeError](err); ok {
		return "undecodable_result"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, fal.ErrFlagged):
		return "flagged"
	case errors.Is(err, fal.ErrNoKey):
		return "no_key"
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return "connection"
	}
	return "_OTHER"
}

// cost returns what a call did cost, where its units are known and have one
// price.
func cost(s fal.Span) []attribute.KeyValue {
	if s.Meta.BillableUnits == "" {
		return nil
	}
	quote, err := pricing.EstimateUsage(s.Usage)
	if err != nil {
		return nil
	}
	bill, err := pricing.Settle(quote, s.Meta)
	if err != nil || bill.Min != bill.Max {
		return nil
	}
	amount, err := strconv.ParseFloat(strings.TrimPrefix(bill.Billed.String(), "$"), 64)
	if err != nil {
		return nil
	}
	return []attribute.KeyValue{
		attribute.Float64("gen_ai.usage.cost.amount", amount), // the conventions have it as a double
		attribute.String("gen_ai.usage.cost.currency", "USD"),
		attribute.String("gen_ai.usage.cost.source", "local"),
	}
}

// fieldOf returns a field of a request, by its name in Go, or nil: of requests
// inside of fal.At and its like, and of the input of a fal.Call, too.
func fieldOf(request any, name string) any {
	for v := reflect.ValueOf(request); v.IsValid(); {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			v = v.Elem()
			continue
		case reflect.Map:
			if v.Type().Key().Kind() != reflect.String {
				return nil
			}
			v = v.MapIndex(reflect.ValueOf(strings.ToLower(name)).Convert(v.Type().Key()))
			if v.IsValid() && v.CanInterface() {
				return v.Interface()
			}
			return nil
		case reflect.Struct:
			if f := v.FieldByName(name); f.IsValid() && f.CanInterface() {
				return f.Interface()
			}
			inner := v.FieldByName("Inner")
			if !inner.IsValid() {
				inner = v.FieldByName("Input")
			}
			v = inner
			continue
		}
		return nil
	}
	return nil
}

// quoted returns a text as JSON.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}
