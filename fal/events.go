package fal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// event is one of a stream of server-sent events.
type event struct {
	name string
	data []byte // not shared with anything
}

// readEvents reads a stream of events, each of at most most bytes, and all of
// them together of at most total. Lines end in LF, CR or both. A last event
// that the stream does not end with a blank line is one all the same: whether it
// is whole, its data tell. An error comes once and last. Each byte is looked at
// once, in however many pieces the stream arrives.
func readEvents(ctx context.Context, r io.Reader, most, total int64) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		var (
			e    eventBuilder
			line []byte
			cr   bool // the line before has ended in CR: an LF that follows is a part of it
			read int64
			buf  = make([]byte, 2<<10) // statuses are short; it grows for what is not
		)
		endOfLine := func() (goOn bool) {
			ready, kept := e.line(line)
			if line = line[:0]; kept {
				line = nil
			}
			if !ready {
				return true
			}
			out := e.event
			e.event = event{}
			return yield(out, nil)
		}
		for {
			n, err := r.Read(buf)
			if ended := ctx.Err(); ended != nil {
				yield(event{}, ended)
				return
			}
			if read += int64(n); read > total {
				yield(event{}, fmt.Errorf("%w: the stream has more than the %d bytes that are read", errTooLong, total))
				return
			}
			for rest := buf[:n]; len(rest) > 0; {
				if cr && rest[0] == '\n' {
					rest = rest[1:]
				}
				cr = false
				i := bytes.IndexAny(rest, "\r\n")
				piece := rest
				if i >= 0 {
					piece = rest[:i]
				}
				line = append(line, piece...)
				if int64(len(line)+len(e.data)) > most {
					yield(event{}, fmt.Errorf("%w: an event of the stream has more than the %d bytes that are read", errTooLong, most))
					return
				}
				if i < 0 {
					break
				}
				cr, rest = rest[i] == '\r', rest[i+1:]
				if !endOfLine() {
					return
				}
			}
			if err != nil {
				if len(line) > 0 && !endOfLine() || !endOfLine() { // the blank line
					return
				}
				if !errors.Is(err, io.EOF) {
					yield(event{}, err)
				}
				return
			}
			if n == len(buf) && n < 32<<10 {
				buf = make([]byte, 2*n)
			}
		}
	}
}

// eventBuilder puts events together from their lines.
type eventBuilder struct {
	event
	begun bool // a line has come
	any   bool // there is data, if only empty
}

// line takes up a line. Ready says that it ends an event, kept that its memory
// is in use.
func (e *eventBuilder) line(line []byte) (ready, kept bool) {
	if !e.begun {
		line, e.begun = bytes.TrimPrefix(line, []byte("\ufeff")), true
	}
	if len(line) == 0 {
		if ready = e.any; !ready {
			e.event = event{} // a name without data
		}
		e.any = false
		return ready, false
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "event":
		e.name = string(value)
	case "data":
		if e.any {
			e.data = append(append(e.data, '\n'), value...)
		} else {
			e.data, e.any, kept = value, true, true // without copying what may be large
		}
	}
	return false, kept
}
