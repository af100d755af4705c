package spend

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/falimage/falimage-go/pricing"
)

// DamageError says that lines of a ledger are damaged, lost or not in their
// place, so that more may have been spent than it tells. [RecoverLedger] opens
// it all the same.
type DamageError struct {
	Path string
	// Problems are what is wrong, each with the number of its line.
	Problems []string
	// Hidden is how much of what was spent, by all requests together, the
	// damage can hide at most. Where Guessed, this is no bound: the lines that
	// told it are gone too, and it is the largest amount that is likely.
	Hidden  pricing.USD
	Guessed bool
}

func (e *DamageError) Error() string {
	const most = 5
	what := strings.Join(e.Problems[:min(most, len(e.Problems))], ", ")
	if more := len(e.Problems) - most; more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	bound := "at most"
	if e.Guessed {
		bound = "probably not more than"
	}
	return fmt.Sprintf("spend: ledger %s is damaged: %s; this hides %s %v of what was spent; RecoverLedger opens it all the same", e.Path, what, bound, e.Hidden)
}

// OpenLedger opens the ledger at a path, or makes it; those of earlier versions
// are written anew in the form of this one. A line that a crash cut off, of
// which nobody was told that it was written, is passed over. Any other damage is
// a [*DamageError]: lines that were changed, lost or moved. A file that is no
// ledger, or that a newer version wrote, is an error and left as it is. So is
// one that is in use, which is [ErrInUse]. Lines that are missing at the end of
// the file, as if they had not been written, cannot be noticed. Close the ledger
// when done.
func OpenLedger(path string) (*Ledger, error) { return openLedger(path, nil) }

// RecoverLedger opens a ledger of which [OpenLedger] returned a [*DamageError],
// with all that can still be read of it. Hidden is booked as spent, as what the
// damage hides: the Hidden of the error, or less where it is known better, by
// fal's bill. The damaged file is kept beside the new one, with ".damaged" and
// the time added to its name.
func RecoverLedger(path string, hidden pricing.USD) (*Ledger, error) {
	if hidden < 0 {
		return nil, fmt.Errorf("spend: ledger: %v are hidden: must not be negative", hidden)
	}
	return openLedger(path, &hidden)
}

func openLedger(path string, hidden *pricing.USD) (*Ledger, error) {
	f, err := openFile(path)
	if err != nil {
		if errors.Is(err, ErrInUse) {
			return nil, fmt.Errorf("%w: %s", err, path)
		}
		return nil, fmt.Errorf("spend: ledger %s: %w", path, err)
	}
	l := &Ledger{file: f}
	if err = l.load(hidden); err != nil {
		_ = f.close()
		if _, damaged := errors.AsType[*DamageError](err); damaged {
			return nil, err
		}
		return nil, fmt.Errorf("spend: ledger %s: %w", path, err)
	}
	return l, nil
}

// load reads the file, and writes it anew where it has to be.
func (l *Ledger) load(hidden *pricing.USD) error {
	r := reading{books: newBooks()}
	err := r.read(l.file.path, l.file)
	l.books, l.damaged = r.books, r.passed
	f := l.file
	f.size, f.kept, f.n = r.size, r.keptSize, r.n
	f.archive, f.archiveSize = r.first.Archive, r.first.ArchiveSize
	damage, isDamage := errors.AsType[*DamageError](err)
	if isDamage && hidden != nil {
		backup := f.path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000")
		if err := copyFile(backup, f.File); err != nil {
			return err
		}
		l.damaged = len(damage.Problems)
		if *hidden > 0 {
			e := event{Time: time.Now().UTC(), Event: eventSettled, ID: rand.Text(), Endpoint: lost, Billed: *hidden}
			if err := l.books.apply(e); err != nil {
				return err
			}
		}
	} else if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if isDamage || r.version != version || f.grown() {
		f.size = info.Size()
		l.books, err = f.rewrite(l.books, time.Now(), "")
		return err
	}
	if f.size < info.Size() { // the rest was cut off
		return f.Truncate(f.size)
	}
	if !r.ended {
		_, err = f.writeAt([]byte{'\n'}, f.size)
		f.size++
	}
	return err
}

// lost is the endpoint of what was spent by requests that are not known.
const lost = "(lost)"

// reading is what was read of a file.
type reading struct {
	*books
	first    event
	version  int
	size, n  int64 // bytes and lines that count
	keptSize int64
	ended    bool // the last of them has its line break
	passed   int  // lines that a crash cut off
}

// errDamaged says that a file is not as a ledger left it.
var errDamaged = errors.New("the ledger is damaged")

// read reads a file. The error is a DamageError where it can be read in part.
func (r *reading) read(path string, f io.ReadSeeker) error {
	err := r.strictly(f)
	if errors.Is(err, errDamaged) {
		err = r.diagnose(path, f)
	}
	return err
}

// strictly reads a file as a ledger leaves it, or as a crash does. All else is
// errDamaged.
func (r *reading) strictly(f io.ReadSeeker) error {
	var kept int64
	return lines(f, func(line []byte, end int64, last bool) error {
		e, ok := parseLine(line)
		switch {
		case !ok && torn(line) && (last || r.version == 1):
			r.passed++
			return nil
		case !ok || r.size == 0 && e.N > 1:
			return errDamaged
		}
		if r.version == 0 {
			r.first, r.version, kept = e, max(1, e.Version), e.Kept+1
		}
		if (r.version == 1) != (e.N == 0) || e.N > 0 && (e.N != r.n+1 || e.Used != r.used()) || !r.expected(e) {
			return errDamaged
		}
		if err := r.apply(e); err != nil {
			return errDamaged
		}
		r.n = e.N
		r.size = end
		r.ended = line[len(line)-1] == '\n'
		if r.n == kept {
			r.keptSize = r.size
		}
		return nil
	})
}

// expected reports whether an event is about an entry that is open, as it must
// be, or needs none.
func (r *reading) expected(e event) bool {
	switch e.Event {
	case eventAccepted, eventReleased:
		return r.open[e.ID] != nil
	case eventSettled:
		return e.Endpoint != "" || r.open[e.ID] != nil
	case eventReserved:
		return r.open[e.ID] == nil
	}
	return true
}

// lines calls f with each line that is not empty, until it returns an error. Of
// one that is too long it gets the beginning. End is where the line ends in the
// file, and last says that it has no line break.
func lines(file io.ReadSeeker, f func(line []byte, end int64, last bool) error) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(file, maxLine+1)
	var end int64
	for {
		line, err := r.ReadSlice('\n')
		end += int64(len(line))
		if errors.Is(err, bufio.ErrBufferFull) {
			line = slices.Clone(line)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			var more []byte
			more, err = r.ReadSlice('\n')
			end += int64(len(more))
		}
		if err != nil && err != io.EOF {
			return err
		}
		last := err == io.EOF
		if len(bytes.TrimRight(line, "\r\n")) > 0 {
			if err := f(line, end, last); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// numbered is an event and the number of its line.
type numbered struct {
	event
	line int
}

// diagnose reads what can be read of a damaged file. The error is a DamageError,
// unless the file is no ledger.
func (r *reading) diagnose(path string, f io.ReadSeeker) error {
	*r = reading{books: newBooks(), version: 2}
	d := &DamageError{Path: path}
	var events []numbered
	var bad [][]byte // after the last good line
	largest := pricing.USD(0)
	number, newer, numbers := 0, false, false
	unread := make(map[int64]bool)
	err := lines(f, func(line []byte, _ int64, last bool) error {
		number++
		e, ok := parseLine(line)
		switch {
		case number == 1 && e.Event == eventLedger && e.Version > version:
			newer = true
		case ok:
			events = append(events, numbered{e, number})
			if e.N > 0 {
				bad, numbers = nil, true // this line tells what was before it
			}
			largest = max(largest, e.Reserved, e.Billed)
		case torn(line) && (last || !numbers):
		default:
			d.Problems = append(d.Problems, fmt.Sprintf("line %d cannot be read", number))
			unread[int64(number)] = true
			bad = append(bad, bytes.Clone(line))
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case newer:
		return errors.New("it was written by a newer version of this module")
	case len(events) == 0:
		return errors.New("it is not a ledger")
	}
	if len(bad) > 0 {
		d.Guessed = true
	}
	r.take(events, unread, d)
	for _, line := range bad {
		d.add(likely(line, r.used(), largest))
	}
	switch {
	case len(d.Problems) == 0 && !numbers:
		r.version = 1
		return nil // two programs could settle the same entry
	case len(d.Problems) == 0:
		d.Problems = []string{"its lines contradict each other"}
	}
	return d
}

func (e *DamageError) add(amount pricing.USD) {
	sum, err := e.Hidden.Add(max(amount, 0))
	if err != nil {
		sum = 1<<63 - 1
	}
	e.Hidden = sum
}

// take applies events in the order in which they were written, and finds what
// is missing between them.
func (r *reading) take(events []numbered, unread map[int64]bool, d *DamageError) {
	ordered := slices.Clone(events)
	slices.SortStableFunc(ordered, func(a, b numbered) int { return cmp.Compare(a.N, b.N) })
	for i, e := range events {
		if i > 0 && e.N > 0 && e.N <= events[i-1].N {
			d.Problems = append(d.Problems, fmt.Sprintf("line %d is not in its place", e.line))
		}
	}
	var last, kept int64
	var short pricing.USD // by how much the books are behind
	keptUsed := pricing.USD(-1)
	damagedKept := false
	seen, told := make(map[string]bool), make(map[string]bool)
	for _, e := range ordered {
		if e.N > 0 {
			if e.N == last {
				continue // the same again
			}
			from := max(last+1, 2) // the first line alone hides nothing
			damagedKept = damagedKept || from < e.N && (kept == 0 || from <= kept)
			d.missing(last+1, e.N-1, unread)
			if e.N == 1 {
				r.first, kept = e.event, e.Kept+1
			}
			if keptUsed < 0 && e.N > kept {
				keptUsed = e.Used
			}
			short = e.Used - r.used()
		}
		last = e.N
		if !r.expected(e.event) {
			if e.Event != eventReserved && !seen[e.ID] && !told[e.ID] {
				d.Problems = append(d.Problems, fmt.Sprintf("line %d is about a request that no line reserves", e.line))
				told[e.ID] = true
			}
			if e.Event == eventSettled && !seen[e.ID] {
				e.Endpoint = lost // what was billed counts
			}
		}
		seen[e.ID] = seen[e.ID] || e.Event == eventReserved || e.first()
		if err := r.apply(e.event); err != nil {
			d.Problems = append(d.Problems, fmt.Sprintf("line %d: %v", e.line, err))
		}
	}
	d.add(short)
	if damagedKept {
		// Sums may be gone of which only the whole is known.
		d.Hidden = max(d.Hidden, keptUsed, r.used())
	}
}

// missing notes lines that are not there, other than those that could not be
// read.
func (e *DamageError) missing(from, to int64, unread map[int64]bool) {
	for from <= to && unread[from] {
		from++
	}
	for from <= to && unread[to] {
		to--
	}
	switch {
	case from == to:
		e.Problems = append(e.Problems, fmt.Sprintf("line %d is missing", from))
	case from < to:
		e.Problems = append(e.Problems, fmt.Sprintf("lines %d to %d are missing", from, to))
	}
}

var amounts = regexp.MustCompile(`"(reserved|billed|max|used)":"([0-9]+(\.[0-9]+)?)"`)

// likely returns what a line that cannot be read may have been about: the
// largest amount that is still to be seen in it, or else in the whole file.
func likely(line []byte, used, largest pricing.USD) (most pricing.USD) {
	for _, m := range amounts.FindAllSubmatch(line, -1) {
		amount, err := pricing.ParseUSD(string(m[2]))
		if err != nil {
			continue
		}
		if string(m[1]) == "used" {
			amount -= used
		}
		most = max(most, amount)
	}
	if most <= 0 {
		return largest
	}
	return most
}

func copyFile(to string, from *os.File) error {
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
