package spend

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"time"

	"github.com/falimage/falimage-go/pricing"
)

// Settled is a request of which a ledger knows what it was billed.
type Settled struct {
	Entry
	// SettledAt is when its bill was noted.
	SettledAt time.Time
	// Units are those that fal reported, as a decimal; "" if it reported none.
	Units string
	// Billed is what it was booked for, by the dearest reading, and Least what
	// it is by the cheapest; see [Total].
	Billed, Least pricing.USD
	// Presumed says that fal did not tell what it billed, so that Billed is the
	// most that it may be.
	Presumed bool
}

// settledJSON is the JSON form of a settled request. Its names are the columns
// of a CSV file.
type settledJSON struct {
	SettledAt time.Time         `json:"settled_at"`
	QuotedAt  time.Time         `json:"quoted_at"`
	Entry     string            `json:"entry"`
	RequestID string            `json:"request_id"`
	Endpoint  string            `json:"endpoint"`
	Tags      map[string]string `json:"tags"`
	Min       pricing.USD       `json:"min"`
	Expected  pricing.USD       `json:"expected"`
	Max       pricing.USD       `json:"max"`
	Reserved  pricing.USD       `json:"reserved"`
	UnitPrice pricing.USD       `json:"unit_price"`
	Units     string            `json:"units"`
	Billed    pricing.USD       `json:"billed"`
	Least     pricing.USD       `json:"least"`
	Presumed  bool              `json:"presumed"`
}

// MarshalJSON returns an object with the columns of [WriteCSV].
func (s Settled) MarshalJSON() ([]byte, error) {
	return json.Marshal(settledJSON{
		s.SettledAt, s.Time, s.ID, s.RequestID, s.Endpoint, s.Tags, s.Min, s.Expected, s.Max, s.Reserved, s.UnitPrice,
		s.Units, s.Billed, s.Least, s.Presumed,
	})
}

// UnmarshalJSON reads what MarshalJSON returns.
func (s *Settled) UnmarshalJSON(data []byte) error {
	var j settledJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*s = Settled{
		Entry: Entry{
			ID: j.Entry, Time: j.QuotedAt, Endpoint: j.Endpoint, RequestID: j.RequestID, Tags: j.Tags,
			Amounts: pricing.Amounts{Min: j.Min, Expected: j.Expected, Max: j.Max}, Reserved: j.Reserved, UnitPrice: j.UnitPrice,
		},
		SettledAt: j.SettledAt, Units: j.Units, Billed: j.Billed, Least: j.Least, Presumed: j.Presumed,
	}
	return nil
}

// Settled returns the settled requests one by one, in the order in which their
// bills were noted: those of the Archive, if there is one, and those that the
// file of the ledger still has by itself. What was summed up before an Archive
// was set is in the Totals alone. A bill that took the place of a presumed one
// comes after it, under the same request id: the later counts. The first error
// is the last that comes. A ledger that is kept in memory has none by itself,
// which is an error.
func (l *Ledger) Settled() iter.Seq2[Settled, error] {
	return func(yield func(Settled, error) bool) {
		if err := l.eachSettled(func(s Settled) bool { return yield(s, nil) }); err != nil {
			yield(Settled{}, fmt.Errorf("spend: ledger: settled requests: %w", err))
		}
	}
}

// eachSettled calls f with each settled request until it returns false.
func (l *Ledger) eachSettled(f func(Settled) bool) error {
	l.mu.Lock()
	if l.file == nil {
		l.mu.Unlock()
		return errors.New("they are not kept in memory")
	}
	// What is read is what is there now, although others write meanwhile.
	size, archived := l.file.size, l.file.archiveSize
	file, err := os.Open(l.file.path)
	var archive *os.File
	if err == nil && l.file.archive != "" {
		archive, err = os.Open(l.file.archive)
	}
	l.mu.Unlock()
	if file != nil {
		defer file.Close() //nolint:errcheck // it was only read
	}
	if archive != nil {
		defer archive.Close() //nolint:errcheck // it was only read
	}
	if err != nil {
		return err
	}
	if archive != nil {
		if more, err := eachArchived(io.LimitReader(archive, archived), f); err != nil || !more {
			return err
		}
	}
	return eachNoted(io.NewSectionReader(file, 0, size), f)
}

// eachArchived reads lines of an archive.
func eachArchived(r io.Reader, f func(Settled) bool) (more bool, err error) {
	d := json.NewDecoder(bufio.NewReader(r))
	for {
		var s Settled
		if err := d.Decode(&s); err == io.EOF {
			return true, nil
		} else if err != nil {
			return false, fmt.Errorf("the archive: %w", err)
		}
		if !f(s) {
			return false, nil
		}
	}
}

// errEnough ends a reading.
var errEnough = errors.New("enough")

// eachNoted reads lines of a ledger. Another bill of the same request is passed
// over, as in the sums, unless the first was presumed.
func eachNoted(r io.ReadSeeker, f func(Settled) bool) error {
	open := make(map[string]*Entry)
	final := make(map[key]bool) // settled requests, and whether for good
	err := lines(r, func(line []byte, _ int64, _ bool) error {
		e, ok := parseLine(line)
		switch {
		case !ok: // a line that a crash cut off
		case e.Event == eventReserved:
			open[e.ID] = e.entry()
		case e.Event == eventAccepted && open[e.ID] != nil:
			open[e.ID].RequestID = e.RequestID
		case e.Event == eventReleased:
			delete(open, e.ID)
		case e.Event == eventSettled:
			entry := open[e.ID]
			if delete(open, e.ID); entry == nil {
				entry = e.entry()
			}
			if e.RequestID != "" {
				entry.RequestID = e.RequestID
			}
			if id := entry.RequestID; id != "" {
				if sure, again := final[keyOf(id)]; again && (sure || e.Presumed) {
					return nil
				}
				final[keyOf(id)] = !e.Presumed
			}
			if !e.Archived && !f(Settled{*entry, e.Time, e.Units, e.Billed, e.least(), e.Presumed}) {
				return errEnough
			}
		case e.Event == eventKeys:
			for _, k := range e.Keys {
				final[k] = true
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// entry is the entry that the event begins.
func (e event) entry() *Entry {
	return &Entry{
		ID: e.ID, Time: e.Time, Endpoint: e.Endpoint, Tags: e.Tags,
		Amounts: e.Amounts, Reserved: e.Reserved, UnitPrice: e.UnitPrice,
	}
}

// WriteCSV writes settled requests as a table, with a line of names first:
//
//	settled_at, quoted_at   moments in UTC, as in RFC 3339
//	entry, request_id       the ids of the ledger and of fal
//	endpoint                the id of the model
//	tags                    a JSON object of texts, or nothing
//	min, expected, max      the quote in dollars
//	reserved                what was set aside, in dollars
//	unit_price              of a billed unit by the dearest source, in dollars; 0.00 if not known
//	units                   as fal reported them, or nothing
//	billed, least           what it was booked for, and by the cheapest reading, in dollars
//	presumed                true where fal did not tell what it billed
//
// Amounts have all their digits, and two decimal places at least. A text that a
// spreadsheet would take for a formula has an apostrophe before it. The error is
// the first of writing or of the requests.
func WriteCSV(w io.Writer, settled iter.Seq2[Settled, error]) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{ // the error is that of Flush
		"settled_at", "quoted_at", "entry", "request_id", "endpoint", "tags", "min", "expected", "max", "reserved", "unit_price",
		"units", "billed", "least", "presumed",
	})
	for s, err := range settled {
		if err != nil {
			out.Flush()
			return errors.Join(err, out.Error())
		}
		if err := out.Write(s.row()); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (s Settled) row() []string {
	row := []string{s.SettledAt.UTC().Format(time.RFC3339Nano), s.Time.UTC().Format(time.RFC3339Nano), plain(s.ID), plain(s.RequestID), plain(s.Endpoint), ""}
	if len(s.Tags) > 0 {
		tags, _ := json.Marshal(s.Tags) // texts
		row[len(row)-1] = string(tags)
	}
	for _, amount := range []pricing.USD{s.Min, s.Expected, s.Max, s.Reserved, s.UnitPrice} {
		row = append(row, decimal(amount))
	}
	return append(row, plain(s.Units), decimal(s.Billed), decimal(s.Least), strconv.FormatBool(s.Presumed))
}

func decimal(amount pricing.USD) string {
	text, _ := amount.MarshalText() // has none
	return string(text)
}

// plain returns a text that no spreadsheet takes for a formula.
func plain(text string) string {
	if text != "" {
		switch text[0] {
		case '=', '+', '-', '@', '\t', '\r':
			return "'" + text
		}
	}
	return text
}

// WriteJSONLines writes settled requests as JSON objects, one on each line, with
// the columns of [WriteCSV]: amounts are texts, tags an object or null. The error
// is the first of writing or of the requests.
func WriteJSONLines(w io.Writer, settled iter.Seq2[Settled, error]) error {
	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	for s, err := range settled {
		if err == nil {
			err = e.Encode(s)
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	return out.Flush()
}
