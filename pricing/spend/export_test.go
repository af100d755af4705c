package spend

import "time"

// CompactAfter has files written anew when they have grown by so many bytes.
func CompactAfter(bytes int64) { compactAfter = bytes }

// Compact writes the file of a ledger anew.
func (l *Ledger) Compact() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, err := l.file.rewrite(l.books, time.Now())
	if err == nil {
		l.books = b
	}
	return err
}

// BreakWrites has the next writes go to f in place of the file.
func (l *Ledger) BreakWrites(f func(write func([]byte, int64) (int, error), b []byte, at int64) (int, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.writeAt = l.file.WriteAt
	if whole := l.file.writeAt; f != nil {
		l.file.writeAt = func(b []byte, at int64) (int, error) { return f(whole, b, at) }
	}
}

// Known returns how many settled requests the ledger knows.
func (l *Ledger) Known() int { return len(l.books.settled) }
