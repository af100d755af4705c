package spend

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// Ledger is a record of what requests were quoted and billed. It is a file to
// which a line is added, a JSON object, before a request is sent and when
// something is known of it. A program that is killed between any two writes, or
// in one, loses nothing that was noted, and counts nothing twice when the ledger
// is opened again. (What survives a power cut is up to the system; Sync forces
// the file to the disk.)
//
// When the file has grown to twice its size, and by some megabytes, it is
// written anew: of requests that are settled the sums stay, those of Totals, and
// for 35 days by which ids they went, so that none is counted twice; open ones
// stay as they are. An Archive keeps them one by one. The new file is complete on the disk before it takes the
// place of the old one.
//
// Set it as the Ledger of a [Budget], which needs no limits. A ledger may be
// used by many goroutines at once, and its file by one ledger at a time: beside
// it is a file of the same name and ".lock" as long as it is open. The zero
// Ledger is kept in memory only.
type Ledger struct {
	// Archive, if set, is the path of a file that gets settled requests, as
	// [WriteJSONLines] writes them, before the ledger is written anew without
	// them; it is made if it is not there. Set it before the first use: the
	// ledger keeps it in mind when it is opened again. Nothing but the ledger
	// should write to it. Default: settled requests are summed up only.
	Archive string

	mu    sync.Mutex
	books *books
	err   error // of the first write that failed
	// damaged is how many lines were passed over when the file was opened.
	damaged int
	file    *file // nil for one in memory
	// live are the ids of open entries that were given by [Budget.ReserveAs] in
	// this process.
	live map[string]bool
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

// Close closes the file. The error is that of the first write that failed, if
// any did. A closed ledger refuses new requests.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return errors.Join(l.err, l.file.close())
}

// Sync forces what was written to the disk.
func (l *Ledger) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Sync()
}

// Err returns the error of the first write that failed. What it was to note is
// in the totals of this ledger but not in the file; it is written before the
// next request is let pass, or none is.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Damaged returns the number of lines that were passed over when the ledger was
// opened: those that crashes cut off, of requests that were not sent, and the
// damaged ones where it was opened by [RecoverLedger].
func (l *Ledger) Damaged() int { return l.damaged }

// Totals returns the sums of all requests in the ledger.
func (l *Ledger) Totals() Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	totals := l.held().totals.clone()
	totals.Months = l.books.listed()
	return totals
}

// held returns the books. The caller holds the lock.
func (l *Ledger) held() *books {
	if l.books == nil {
		l.books = newBooks()
	}
	return l.books
}

// Open returns the requests that are neither settled nor released, the oldest
// first: those under way, and those that a crash or a lost answer left in
// doubt. Where a RequestID is known, fal.Resume finds the job, and Record
// notes its result.
func (l *Ledger) Open() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := make([]Entry, 0, len(l.held().open))
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
	entry := l.held().open[l.books.accepted[meta.RequestID]]
	isOpen := entry != nil
	if p, ok := l.books.presumed[meta.RequestID]; ok && !isOpen {
		entry = p.entry
	}
	if entry != nil {
		meta.Endpoint = cmp.Or(meta.Endpoint, entry.Endpoint)
	}
	billed, least, err := billedFor(entry, meta)
	if err != nil {
		return fmt.Errorf("spend: ledger: request %s: %w", meta.RequestID, err)
	}
	e := event{Event: eventSettled, RequestID: meta.RequestID, Units: meta.BillableUnits, Billed: billed, Less: billed - least}
	if isOpen {
		e.ID = entry.ID
	} else {
		e.ID, e.Endpoint = rand.Text(), meta.Endpoint
	}
	return l.addLocked(e, nil)
}

// billedFor returns what a result is booked for, by the price that the entry
// was quoted with, if there is one, and by the cheapest reading of today.
func billedFor(entry *Entry, meta fal.Meta) (billed, least pricing.USD, err error) {
	// A request of nothing has no price, but its quote tells that of a unit.
	quote, _ := pricing.EstimateUsage(fal.Usage{Endpoint: meta.Endpoint})
	bill, err := pricing.Settle(quote, meta)
	if entry == nil || entry.UnitPrice == 0 {
		return bill.Max, bill.Min, err
	}
	if meta.BillableUnits == "" {
		return 0, 0, pricing.ErrNoUnits
	}
	units, parseErr := pricing.ParseUnits(meta.BillableUnits)
	if parseErr != nil {
		return 0, 0, parseErr
	}
	if billed, parseErr = units.At(entry.UnitPrice); err != nil || parseErr != nil {
		return billed, billed, parseErr // today's table does not know the endpoint
	}
	return billed, min(billed, bill.Min), nil
}

// Release takes back what was set aside for an open request of which the caller
// knows that it is not charged: that its job was never accepted, or failed. ID
// is that of the entry. Budgets with this ledger see it at once.
func (l *Ledger) Release(id string) error {
	return l.add(event{Event: eventReleased, ID: id}, nil)
}

// reserve notes a new request and returns its id in the ledger, unless the
// totals do not allow it. If it cannot be written it is not noted.
func (l *Ledger) reserve(ctx context.Context, q pricing.Quote, amount pricing.USD, tags map[string]string, allow func(*books, time.Time) error) (id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, there := l.entryFor(ctx, amount)
	if there {
		return id, nil
	}
	err = l.addLocked(event{
		Event: eventReserved, ID: id, Endpoint: q.Endpoint, Tags: maps.Clone(tags),
		Amounts: q.Amounts, Reserved: amount, UnitPrice: q.UnitPrice().Max,
	}, allow)
	if err != nil {
		delete(l.live, id)
	}
	return id, err
}

func (l *Ledger) accepted(id, requestID string) error {
	return l.add(event{Event: eventAccepted, ID: id, RequestID: requestID}, nil)
}

func (l *Ledger) settled(id string, meta fal.Meta, billed, least pricing.USD, known bool) error {
	e := event{Event: eventSettled, ID: id, RequestID: meta.RequestID, Units: meta.BillableUnits, Billed: billed, Less: billed - least}
	e.Presumed = !known
	return l.add(e, nil)
}

// add writes an event and takes it into the books, unless the totals do not
// allow it. A new request must be in the file before it is sent; what happened
// to it afterwards counts even if it cannot be written.
func (l *Ledger) add(e event, allow func(*books, time.Time) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addLocked(e, allow)
}

// addLocked is add for those who hold the lock.
func (l *Ledger) addLocked(e event, allow func(*books, time.Time) error) error {
	books := l.held()
	if !books.news(e) {
		return nil
	}
	e.Time = time.Now().UTC()
	if allow != nil {
		if err := allow(books, e.Time); err != nil {
			return err
		}
	}
	if e.Event == eventReserved { // refused before it is written
		if _, err := books.totals.All.plus(Total{Reserved: e.Reserved, Quoted: e.Expected}); err != nil {
			return err
		}
	}
	if e.Event == eventSettled || e.Event == eventReleased {
		delete(l.live, e.ID)
	}
	e.Used = books.used()
	err := l.write(e)
	if err != nil && e.Event == eventReserved {
		return err
	}
	err = errors.Join(err, books.apply(e))
	if err == nil && l.file != nil && l.file.grown() {
		l.compact()
	}
	return err
}

// write adds a line to the file. What cannot be written is written before the
// next line, except a new request, which is refused.
func (l *Ledger) write(e event) error {
	if l.file == nil {
		return nil
	}
	err := l.file.add(e)
	if err != nil {
		err = fmt.Errorf("spend: ledger: %w", err)
		if e.Event != eventReserved { // which is refused, so that nothing is lost
			l.err = cmp.Or(l.err, err)
			l.file.unwritten = append(l.file.unwritten, e)
		}
	}
	return err
}

// compact writes the file anew. If that fails the old file goes on, unless it
// cannot be opened again: then the next write fails.
func (l *Ledger) compact() {
	books, err := l.file.rewrite(l.books, time.Now(), l.Archive)
	if err != nil {
		l.file.kept = l.file.size // not at once again
		return
	}
	l.books = books
}
