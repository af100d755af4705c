package spend

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/falimage/falimage-go/pricing"
)

// rewrite writes the file anew with what the books hold, and returns the books
// as they are read from it.
// Settled requests that are there one by one go into the archive before, if there
// is one.
func (f *file) rewrite(b *books, now time.Time, archive string) (*books, error) {
	if len(f.unwritten) > 0 {
		return nil, errors.New("not all of it is written yet")
	}
	again, events, err := b.anew(now)
	if err != nil {
		return nil, err
	}
	if archive, err = f.archivePath(archive); err != nil {
		return nil, err
	}
	size, err := f.keepSettled(archive)
	if err != nil {
		return nil, fmt.Errorf("the archive: %w", err)
	}
	events[0].Archive, events[0].ArchiveSize = archive, size
	for i := range events {
		events[i].Archived = events[i].Event == eventSettled && archive != ""
	}
	if err := f.replace(events); err != nil {
		return nil, err
	}
	f.archive, f.archiveSize = archive, size
	return again, nil
}

// anew returns the lines that books are made of, numbered, and the books that
// are read from them. It is an error if these are not the same.
func (b *books) anew(now time.Time) (again *books, events []event, err error) {
	events = b.events(now)
	again = newBooks()
	for i := range events {
		e := &events[i]
		e.N, e.Used = int64(i+1), again.used()
		if err := again.apply(*e); err != nil {
			return nil, nil, err
		}
	}
	if !b.totals.equal(again.totals) || !maps.Equal(b.named, again.named) || !maps.Equal(b.months, again.months) || len(b.open) != len(again.open) {
		return nil, nil, errors.New("the sums would not be the same")
	}
	return again, events, nil
}

// events returns the lines that books are made of: sums of what is settled, what
// is open or presumed, and the keys of recent days.
func (b *books) events(now time.Time) []event {
	oldest := dayOf(now) - keepDays
	settled := newBooks()
	settled.totals, settled.months = b.totals.clone(), maps.Clone(b.months)
	for t, s := range b.slots {
		settled.slots[t] = slices.Clone(s)
	}
	var single []event
	for _, e := range b.open {
		settled.change(e, Total{Requests: -1, Open: -1, Reserved: -e.Reserved, Quoted: -e.Expected})
		single = append(single, e.event())
		if e.RequestID != "" {
			single = append(single, event{Time: e.Time, Event: eventAccepted, ID: e.ID, RequestID: e.RequestID})
		}
	}
	byDay := make(map[day]keys)
	recent := maps.Clone(b.settled)
	for id, p := range b.presumed {
		delete(recent, keyOf(id))
		if dayOf(p.time) < oldest {
			continue
		}
		settled.change(p.entry, Total{Requests: -1, Quoted: -p.entry.Expected, Billed: -p.billed, Least: -p.least})
		reserved := p.entry.event()
		reserved.ID, reserved.Reserved = rand.Text(), max(reserved.Reserved, 1)
		single = append(single, reserved,
			event{Time: p.time, Event: eventSettled, ID: reserved.ID, RequestID: id, Billed: p.billed, Less: p.billed - p.least, Presumed: true})
	}
	for k, d := range recent {
		if d >= oldest {
			byDay[d] = append(byDay[d], k)
		}
	}
	events := settled.sums(now)
	// What belongs together is in one piece, and the pieces in a fixed order.
	slices.SortStableFunc(single, func(a, b event) int { return strings.Compare(a.ID, b.ID) })
	events = append(events, single...)
	const perLine = 4096
	for _, d := range slices.Sorted(maps.Keys(byDay)) {
		all := byDay[d]
		slices.SortFunc(all, func(a, b key) int { return bytes.Compare(a[:], b[:]) })
		for some := range slices.Chunk(all, perLine) {
			events = append(events, event{Time: d.time(), Event: eventKeys, Keys: some})
		}
	}
	first := event{Time: now.UTC(), Event: eventLedger, Version: version, Kept: int64(len(events))}
	return append([]event{first}, events...)
}

// event returns the line that reserved an entry.
func (e *Entry) event() event {
	return event{
		Time: e.Time, Event: eventReserved, ID: e.ID, Endpoint: e.Endpoint, Tags: e.Tags,
		Amounts: e.Amounts, Reserved: e.Reserved, UnitPrice: e.UnitPrice,
	}
}

// What totals that are kept are of.
const (
	ofAll      = "all"
	ofEndpoint = "endpoint"
	ofTag      = "tag"
	ofDay      = "day"
	ofMonth    = "month"
	ofSlots    = "slots"
)

// sums returns the lines that totals of settled requests are made of.
func (b *books) sums(now time.Time) []event {
	var events []event
	t := b.totals
	add := func(of, name, value string, sum Total) *event {
		events = append(events, event{
			Time: now.UTC(), Event: eventTotal, Of: of, Name: name, Value: value,
			Requests: sum.Requests, Quoted: sum.Quoted, Billed: sum.Billed, Less: sum.Billed - sum.Least,
		})
		return &events[len(events)-1]
	}
	if t.All == (Total{}) {
		return nil
	}
	add(ofAll, "", "", t.All)
	for _, name := range slices.Sorted(maps.Keys(t.Endpoints)) {
		add(ofEndpoint, name, "", t.Endpoints[name])
	}
	for _, name := range slices.Sorted(maps.Keys(t.Days)) {
		add(ofDay, name, "", t.Days[name])
	}
	for _, tag := range slices.SortedFunc(maps.Keys(t.Tags), compareTags) {
		add(ofTag, tag.Name, tag.Value, t.Tags[tag])
	}
	for _, m := range b.listed() {
		e := add(ofMonth, m.Tag.Name, m.Tag.Value, m.Total)
		e.Endpoint, e.Month = m.Endpoint, m.Month
	}
	for _, tag := range slices.SortedFunc(maps.Keys(b.slots), compareTags) {
		add(ofSlots, tag.Name, tag.Value, Total{}).Slots = b.slots[tag].after(now)
	}
	return events
}

func compareTags(a, b Tag) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
}

// keep takes a total that was kept into the books.
func (b *books) keep(e event) error {
	sum := Total{Requests: e.Requests, Quoted: e.Quoted, Billed: e.Billed, Least: e.least()}
	all := b.totals.All
	if e.Of == ofAll {
		var err error
		b.totals.All, err = all.plus(sum)
		return err
	}
	// A part is not more than the whole, so that no sum of parts overflows.
	if sum.Requests > all.Requests || sum.Quoted > all.Quoted || sum.Billed > all.Billed || sum.Least > all.Least {
		return pricing.ErrOverflow
	}
	switch e.Of {
	case ofEndpoint:
		add(b.totals.Endpoints, e.Name, sum)
	case ofDay:
		add(b.totals.Days, e.Name, sum)
	case ofTag:
		add(b.totals.Tags, Tag{e.Name, e.Value}, sum)
		if e.Value != "" {
			add(b.named, e.Name, sum)
		}
	case ofMonth:
		add(b.months, cell{e.Month, e.Endpoint, Tag{e.Name, e.Value}}, sum)
	case ofSlots:
		return b.keepSlots(Tag{e.Name, e.Value}, e.Slots)
	default:
		return errors.New("a total of " + e.Of)
	}
	return nil
}

// equal reports whether t and u are the same.
func (t Totals) equal(u Totals) bool {
	return t.All == u.All && maps.Equal(t.Endpoints, u.Endpoints) && maps.Equal(t.Tags, u.Tags) && maps.Equal(t.Days, u.Days)
}
