package spend

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// CompactAfter has files written anew when they have grown by so many bytes.
func CompactAfter(bytes int64) { compactAfter = bytes }

// Compact writes the file of a ledger anew.
func (l *Ledger) Compact() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, err := l.file.rewrite(l.books, time.Now(), l.Archive)
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

// Summed gives each line that is an object its sum.
func Summed(text []byte) (summed []byte) {
	for line := range bytes.Lines(text) {
		if body, ok := bytes.CutSuffix(line, []byte("}\n")); ok {
			line = fmt.Appendf(bytes.Clone(body), sumForm+"\n", crc32.ChecksumIEEE(body))
		}
		summed = append(summed, line...)
	}
	return summed
}

// Reread reads the text of a ledger, and again what would be written in its
// place; damage is passed over.
func Reread(text []byte) (before, after Totals, damage *DamageError, err error) {
	r := reading{books: newBooks()}
	err = r.read("", bytes.NewReader(text))
	if d, ok := errors.AsType[*DamageError](err); ok {
		damage, err = d, nil
	}
	if err != nil {
		return before, after, nil, err
	}
	_, events, err := r.anew(time.Now())
	if err != nil {
		return r.totals, after, damage, err
	}
	var anew []byte
	for _, e := range events {
		if anew, err = e.appendLine(anew); err != nil {
			return r.totals, after, damage, err
		}
	}
	again := reading{books: newBooks()}
	if err := again.strictly(bytes.NewReader(anew)); err != nil {
		return r.totals, after, damage, fmt.Errorf("what is written anew: %w", err)
	}
	return r.totals, again.totals, damage, nil
}
