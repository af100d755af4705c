package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/qwen"
)

// fact is something that no source settles.
type fact struct {
	name     string
	expected string // what this module takes it to be
	cost     pricing.USD
	// probe finds out what it is. Came is "" if it cannot be told, for the
	// reason why.
	probe func(ctx context.Context, s *session) (came string, why error)
}

// session is what probes share.
type session struct {
	client *fal.Client
	budget *spend.Budget
	waits  []time.Duration // between two looks at what may be late

	picture *picture
}

// settle probes each fact that the money is enough for.
func settle(ctx context.Context, w io.Writer, e environment, most pricing.USD) error {
	s := &session{client: e.client, budget: &spend.Budget{Limits: []spend.Limit{{Amount: most}}}, waits: waits}
	if e.simulated {
		s.waits = waits[:1]
	}
	fmt.Fprintf(w, "\nWhat is unconfirmed:\n")
	counts := make(map[state]int)
	for _, f := range slices.Concat(facts, fieldFacts()) {
		if err := ctx.Err(); err != nil {
			return err
		}
		result, came := s.try(ctx, f, most)
		counts[result]++
		fmt.Fprintf(w, "%-2s  %s\n", result, f.name)
		if result != good {
			fmt.Fprintf(w, "      expected: %s\n      came:     %s\n", f.expected, strings.Join(strings.Fields(came), " "))
		}
	}
	_, err := fmt.Fprintf(w, "%d as expected, %d not, %d not told; %v spent at most\n", counts[good], counts[bad], counts[strange], s.budget.Spent()+s.budget.Reserved())
	return err
}

// try probes a fact, if the money is enough.
func (s *session) try(ctx context.Context, f fact, most pricing.USD) (result state, came string) {
	if f.cost > most {
		return strange, fmt.Sprintf("not tried: it costs %v", f.cost)
	}
	came, err := f.probe(ctx, s)
	switch {
	case err != nil:
		return strange, "cannot be told: " + err.Error()
	case came == f.expected:
		return good, came
	}
	return bad, came
}

// waits are how long is waited between two looks at the history and the bills,
// which are late.
var waits = []time.Duration{0, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second}

const (
	yes      = "yes"
	nowhere  = "fal-ai/no-such-app-as-this"
	nowhere2 = "fal-ai/flux/no-such-path-as-this"
)

// facts are the facts that have a probe of their own.
var facts = []fact{
	{"an application that is not there answers", "404, not found", 0, func(ctx context.Context, s *session) (string, error) { return refusedWith(ctx, s, nowhere, struct{}{}) }},
	{"a path that is not there, of an application that is, answers", "404, not found", 0, func(ctx context.Context, s *session) (string, error) {
		return refusedWith(ctx, s, nowhere2, struct{}{})
	}},
	{"a field that the endpoint does not have is passed over in silence", yes, 0, unknownField},
	{"prices of endpoints that are not there are left out of the answer", yes, 0, leftOutPrice},
	{"models that are not there are left out of the answer", yes, 0, leftOutModel},
	{"who may read a file is told in the form of the lifecycle header", yes, 0, accessForm},
	{"a result has its units in a header, in the unit of the price list", yes, cheapest, unitsTold},
	{"a job that is done cannot be cancelled", string(fal.AlreadyCompleted), cheapest, cancelDone},
	{"the request history has the input as it was sent", yes, cheapest, historyInput},
	{"a billing event has the units that came with the result", yes, cheapest, eventUnits},
}

// fieldFacts are the fields whose names no source has read.
func fieldFacts() (all []fact) {
	for _, m := range slices.Concat(flux.Models(), qwen.Models()) {
		var names []string
		for _, f := range m.Fields {
			if f.Unconfirmed {
				names = append(names, f.Name)
			}
		}
		if names != nil {
			all = append(all, fact{"fields of " + m.Endpoint, strings.Join(names, ", "), 0, func(ctx context.Context, s *session) (string, error) {
				return fieldsThere(ctx, s, m, names)
			}})
		}
	}
	return all
}

// fieldsThere sends a value that no field takes for each name, and the prompt
// too, so that nothing can run: the fields that are complained about are there.
func fieldsThere(ctx context.Context, s *session, m schema.Model, names []string) (string, error) {
	wrong := [][]int{{}}
	input := map[string]any{"prompt": wrong}
	for _, name := range names {
		input[name] = wrong
	}
	refused, err := refusal(ctx, s.client, m.Endpoint, input)
	switch {
	case err != nil:
		return "", err
	case refused == nil:
		return "the request was taken, and may have been charged", nil
	case refused.Status != http.StatusUnprocessableEntity:
		return "", refused
	}
	var there []string
	for _, name := range names {
		if slices.ContainsFunc(refused.Fields, func(f fal.FieldError) bool {
			return (f.Field == name || strings.HasPrefix(f.Field, name+"[") || strings.HasPrefix(f.Field, name+".")) && f.Type != "extra_forbidden"
		}) {
			there = append(there, name)
		}
	}
	return cmp.Or(strings.Join(there, ", "), "none of them"), nil
}

// refusedWith tells in which form something is refused.
func refusedWith(ctx context.Context, s *session, endpoint string, input any) (string, error) {
	refused, err := refusal(ctx, s.client, endpoint, input)
	if err != nil {
		return "", err
	}
	if refused == nil {
		return "it was taken", nil
	}
	text := strconv.Itoa(refused.Status)
	if strings.Contains(strings.ToLower(refused.Message), "not found") {
		return text + ", not found", nil
	}
	return text + ", " + refused.Message, nil
}

func unknownField(ctx context.Context, s *session) (string, error) {
	refused, err := refusal(ctx, s.client, string(flux.Schnell{}.Endpoint()), map[string]any{"no_such_field": 1})
	if err != nil {
		return "", err
	}
	if refused == nil || refused.Status != http.StatusUnprocessableEntity {
		return "", fmt.Errorf("a request without a prompt was not refused for it: %w", cmp.Or[error](refused, errors.New("it was taken")))
	}
	for _, f := range refused.Fields {
		if f.Field == "no_such_field" {
			return "no: " + f.Type, nil
		}
	}
	return yes, nil
}

func leftOutPrice(ctx context.Context, s *session) (string, error) {
	n := 0
	for _, err := range (platform.API{Client: s.client}).Prices(ctx, string(flux.Schnell{}.Endpoint()), nowhere) {
		if err != nil {
			return answered(err)
		}
		n++
	}
	if n == 1 {
		return yes, nil
	}
	return fmt.Sprintf("no: %d prices for two endpoints", n), nil
}

func leftOutModel(ctx context.Context, s *session) (string, error) {
	n := 0
	query := platform.ModelQuery{Endpoints: []string{string(flux.Schnell{}.Endpoint()), nowhere}}
	for _, err := range (platform.API{Client: s.client}).Models(ctx, query) {
		if err != nil {
			return answered(err)
		}
		n++
	}
	if n == 1 {
		return yes, nil
	}
	return fmt.Sprintf("no: %d models for two endpoints", n), nil
}

// answered tells of an answer that is a refusal.
func answered(err error) (string, error) {
	if e, ok := errors.AsType[*fal.Error](err); ok {
		return fmt.Sprintf("no: %d, %s", e.Status, e.Message), nil
	}
	return "", err
}

func accessForm(ctx context.Context, s *session) (string, error) {
	file, err := s.client.Upload(ctx, fal.Bytes([]byte("doctor")), fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: time.Hour}))
	if err != nil {
		return "", err
	}
	address, _ := file.URL()
	access, err := platform.API{Client: s.client}.FileAccess(ctx, address)
	if err != nil {
		return answered(err)
	}
	if access.Default == "" {
		return "no: it has no default", nil
	}
	return yes, nil
}

// request is the cheapest that there is.
var request = flux.Schnell{Prompt: "a grey square", ImageSize: fal.Size(512, 512), Seed: fal.Seed(1)}

// cheapest is what it costs.
var cheapest = func() pricing.USD {
	q, err := pricing.Estimate(request)
	if err != nil {
		return pricing.Dollar * 1000 // is never spent
	}
	return q.Max
}()

// picture is a request that was paid, once for all probes.
type picture struct {
	job *fal.Job[fal.Images]
	out *fal.Images
	err error
}

// paid pays for the picture, once.
func (s *session) paid(ctx context.Context) (*picture, error) {
	if s.picture == nil {
		s.picture = new(picture)
		s.picture.job, s.picture.err = fal.Submit(ctx, s.client, request, fal.WithGuard(s.budget))
		if s.picture.err == nil {
			s.picture.out, s.picture.err = s.picture.job.Wait(ctx)
		}
	}
	return s.picture, s.picture.err
}

func unitsTold(ctx context.Context, s *session) (string, error) {
	p, err := s.paid(ctx)
	if err != nil {
		return "", err
	}
	quote, err := pricing.Estimate(request)
	if err != nil {
		return "", err
	}
	bill, err := pricing.Settle(quote, p.out.Meta)
	switch {
	case errors.Is(err, pricing.ErrNoUnits):
		return "no: it has none", nil
	case err != nil:
		return "", err
	case !bill.Within:
		return fmt.Sprintf("no: %v units, which would be %v", bill.Units, bill.Billed), nil
	}
	return yes, nil
}

func cancelDone(ctx context.Context, s *session) (string, error) {
	p, err := s.paid(ctx)
	if err != nil {
		return "", err
	}
	outcome, err := p.job.Cancel(ctx)
	return string(outcome), err
}

// late looks again and again for what comes late.
func (s *session) late(ctx context.Context, look func() (string, error)) (string, error) {
	for _, d := range s.waits {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if came, err := look(); came != "" || err != nil {
			return came, err
		}
	}
	return "", errors.New("it did not come in time: ask again in an hour")
}

func historyInput(ctx context.Context, s *session) (string, error) {
	p, err := s.paid(ctx)
	if err != nil {
		return "", err
	}
	return s.late(ctx, func() (string, error) {
		query := platform.RequestQuery{Endpoint: string(request.Endpoint()), RequestID: p.job.ID(), Payloads: true}
		for row, err := range (platform.API{Client: s.client}).Requests(ctx, query) {
			if err != nil {
				return answered(err)
			}
			return sameFields(row.Input)
		}
		return "", nil
	})
}

// sameFields tells whether an input of the history is the request's.
func sameFields(input json.RawMessage) (string, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	var sent, kept map[string]any
	if err := errors.Join(json.Unmarshal(body, &sent), json.Unmarshal(input, &kept)); err != nil {
		return "no: it is not readable", nil //nolint:nilerr // that is what came
	}
	var more, other []string
	for name, value := range kept {
		if _, ok := sent[name]; !ok {
			more = append(more, name)
		} else if fmt.Sprint(value) != fmt.Sprint(sent[name]) {
			other = append(other, name)
		}
	}
	for name := range sent {
		if _, ok := kept[name]; !ok {
			other = append(other, name)
		}
	}
	if more == nil && other == nil {
		return yes, nil
	}
	slices.Sort(more)
	slices.Sort(other)
	return fmt.Sprintf("no: further fields %v, other values %v", more, other), nil
}

func eventUnits(ctx context.Context, s *session) (string, error) {
	p, err := s.paid(ctx)
	if err != nil {
		return "", err
	}
	return s.late(ctx, func() (string, error) {
		query := platform.BillingQuery{RequestIDs: []string{p.job.ID()}}
		for event, err := range (platform.API{Client: s.client}).BillingEvents(ctx, query) {
			if err != nil {
				return "", err
			}
			a, errA := pricing.ParseUnits(p.out.BillableUnits)
			b, errB := pricing.ParseUnits(event.Units.String())
			if errA != nil || errB != nil || a != b {
				return fmt.Sprintf("no: %s in the event, %s with the result", event.Units, p.out.BillableUnits), nil
			}
			return yes, nil
		}
		return "", nil
	})
}
