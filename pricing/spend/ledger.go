package spend

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// Ledger is a record of what requests were quoted and billed, in a file to
// which lines are only ever added, each a JSON object written at once. A
// program that is killed between any two writes loses nothing that was noted,
// and counts nothing twice when the ledger is opened again. (What survives a
// power cut is up to the system; Sync forces the file to the disk.)
//
// Set it as the Ledger of a [Budget], which needs no limits. A ledger may be
// used by many goroutines at once, by one program at a time.
type Ledger struct {
	mu    sync.Mutex
	file  *os.File // nil for that of a budget without a ledger
	torn  bool     // the file does not end with a line break
	err   error
	books books
}

// Entry is a request in a ledger.
type Entry struct {
	// ID is that of the entry, made by the ledger.
	ID string
	// Time is when the request was quoted.
	Time     time.Time
	Endpoint string
	// RequestID is fal's; "" until it is known that fal accepted the request.
	RequestID string
	Tags      map[string]string
	// Amounts are the quote, and Reserved is what was set aside.
	pricing.Amounts
	Reserved pricing.USD
	// UnitPrice is what a billed unit will be booked for: the dearest price
	// where sources disagree. It is 0 if no unit price is known.
	UnitPrice pricing.USD
}

// OpenLedger opens the ledger at a path, or makes it. A line that a crash cut
// off is passed over. Close it when done.
func OpenLedger(path string) (*Ledger, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spend: ledger: %w", err)
	}
	l := &Ledger{file: f, books: newBooks()}
	if err := l.read(bufio.NewReader(f)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("spend: ledger %s: %w", path, err)
	}
	return l, nil
}

// read takes the lines of the file into the books.
func (l *Ledger) read(r *bufio.Reader) error {
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return err
		}
		l.torn = len(line) > 0 && err == io.EOF
		if len(bytes.TrimSpace(line)) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || !e.valid() {
				l.books.damaged++ // cut off by a crash, or not ours
			} else if err := l.books.apply(e); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// Close closes the file. The error is that of the first write that failed, if
// any did.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.file.Close())
}

// Sync forces what was written to the disk.
func (l *Ledger) Sync() error { return l.file.Sync() }

// Err returns the error of the first write that failed. What it was to note is
// in the totals of this ledger but not in the file.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Damaged returns the number of lines that could not be read when the ledger
// was opened: those that crashes cut off, and those that no ledger of this
// version writes.
func (l *Ledger) Damaged() int { return l.books.damaged }

// Totals returns the sums of all requests in the ledger.
func (l *Ledger) Totals() Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.books.totals.clone()
}

// Open returns the requests that are neither settled nor released, the oldest
// first: those under way, and those that a crash or a lost answer left in
// doubt. Where a RequestID is known, fal.Resume finds the job, and Record
// notes its result.
func (l *Ledger) Open() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := make([]Entry, 0, len(l.books.open))
	for _, e := range l.books.open {
		c := *e
		c.Tags = maps.Clone(e.Tags)
		entries = append(entries, c)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
	return entries
}

// Record notes the result of a job that was taken up by fal.Resume, which no
// guard sees. A request that the ledger has is priced as it was quoted, others
// by the default table. One that it holds as settled is not noted again, unless
// fal had not told what it billed before. Budgets with this ledger see it at
// once.
func (l *Ledger) Record(meta fal.Meta) error {
	if meta.RequestID == "" {
		return errors.New("spend: ledger: the result has no request id")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := l.books.open[l.books.accepted[meta.RequestID]]
	isOpen := entry != nil
	if p, ok := l.books.presumed[meta.RequestID]; ok && !isOpen {
		entry = p.entry
	}
	if entry != nil {
		meta.Endpoint = cmp.Or(meta.Endpoint, entry.Endpoint)
	}
	billed, err := billedFor(entry, meta)
	if err != nil {
		return fmt.Errorf("spend: ledger: request %s: %w", meta.RequestID, err)
	}
	e := event{Event: eventSettled, RequestID: meta.RequestID, Units: meta.BillableUnits, Billed: billed}
	if isOpen {
		e.ID = entry.ID
	} else {
		e.ID, e.Endpoint = rand.Text(), meta.Endpoint
	}
	return l.addLocked(e, nil)
}

// billedFor returns what a result is booked for, by the price that the entry
// was quoted with, if there is one.
func billedFor(entry *Entry, meta fal.Meta) (pricing.USD, error) {
	if entry == nil || entry.UnitPrice == 0 {
		// A request of nothing has no price, but its quote tells that of a unit.
		quote, _ := pricing.EstimateUsage(fal.Usage{Endpoint: meta.Endpoint})
		bill, err := pricing.Settle(quote, meta)
		return bill.Max, err
	}
	if meta.BillableUnits == "" {
		return 0, pricing.ErrNoUnits
	}
	units, err := pricing.ParseUnits(meta.BillableUnits)
	if err != nil {
		return 0, err
	}
	return units.At(entry.UnitPrice)
}

// Release takes back what was set aside for an open request of which the caller
// knows that it is not charged: that its job was never accepted, or failed. ID
// is that of the entry. Budgets with this ledger see it at once.
func (l *Ledger) Release(id string) error {
	return l.add(event{Event: eventReleased, ID: id}, nil)
}

// reserve notes a new request and returns its id in the ledger, unless the
// totals do not allow it. If it cannot be written it is not noted.
func (l *Ledger) reserve(q pricing.Quote, amount pricing.USD, tags map[string]string, allow func(*Totals) error) (id string, err error) {
	id = rand.Text()
	return id, l.add(event{
		Event: eventReserved, ID: id, Endpoint: q.Endpoint, Tags: maps.Clone(tags),
		Amounts: q.Amounts, Reserved: amount, UnitPrice: q.UnitPrice().Max,
	}, allow)
}

func (l *Ledger) accepted(id, requestID string) error {
	return l.add(event{Event: eventAccepted, ID: id, RequestID: requestID}, nil)
}

func (l *Ledger) settled(id string, meta fal.Meta, billed pricing.USD, known bool) error {
	e := event{Event: eventSettled, ID: id, RequestID: meta.RequestID, Units: meta.BillableUnits, Billed: billed}
	e.Presumed = !known
	return l.add(e, nil)
}

// add writes an event and takes it into the books, unless the totals do not
// allow it. A new request must be in the file before it is sent; what happened
// to it afterwards counts even if it cannot be written.
func (l *Ledger) add(e event, allow func(*Totals) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addLocked(e, allow)
}

// addLocked is add for those who hold the lock.
func (l *Ledger) addLocked(e event, allow func(*Totals) error) error {
	if !l.books.news(e) {
		return nil
	}
	e.Time = time.Now().UTC()
	if allow != nil {
		if err := allow(&l.books.totals); err != nil {
			return err
		}
	}
	if e.Event == eventReserved { // refused before it is written
		if _, err := l.books.totals.All.plus(Total{Reserved: e.Reserved, Quoted: e.Expected}); err != nil {
			return err
		}
	}
	err := l.write(e)
	if err != nil && e.Event == eventReserved {
		return err
	}
	return errors.Join(err, l.books.apply(e))
}

// write adds a line to the file.
func (l *Ledger) write(e event) error {
	if l.file == nil {
		return nil
	}
	line, err := json.Marshal(e)
	if err == nil {
		line = append(line, '\n')
		if l.torn {
			line = append([]byte{'\n'}, line...)
		}
		_, err = l.file.Write(line)
		l.torn = err != nil
	}
	if err != nil {
		err = fmt.Errorf("spend: ledger: %w", err)
		l.err = cmp.Or(l.err, err)
	}
	return err
}
