package spend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/falimage/falimage-go/pricing"
)

// version is that of the file that this package writes. Version 1 had no first
// line that tells it, and lines without numbers and sums.
const version = 2

// event is a line of a ledger.
type event struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"`
	ID    string    `json:"id,omitzero"` // of the entry, not of the request

	// When reserved. A settled event with an endpoint is an entry of its own.
	Endpoint string            `json:"endpoint,omitzero"`
	Tags     map[string]string `json:"tags,omitzero"`
	pricing.Amounts
	Reserved pricing.USD `json:"reserved,omitzero"`
	// UnitPrice is what a billed unit is booked for; 0 if that is not known.
	UnitPrice pricing.USD `json:"unit_price,omitzero"`

	// When accepted or settled.
	RequestID string `json:"request_id,omitzero"`

	// When settled. Less is how much less it is by the cheapest reading.
	// Presumed says that fal did not tell what it billed.
	Units    string      `json:"units,omitzero"`
	Billed   pricing.USD `json:"billed,omitzero"`
	Less     pricing.USD `json:"less,omitzero"`
	Presumed bool        `json:"presumed,omitzero"`

	// Archived says of a settled event that an archive has it too.
	Archived bool `json:"archived,omitzero"`

	// Of the first line: the version, how many lines after it hold what was
	// kept when the file was compacted, and which archive got the rest and how
	// long it is.
	Version     int    `json:"version,omitzero"`
	Kept        int64  `json:"kept,omitzero"`
	Archive     string `json:"archive,omitzero"`
	ArchiveSize int64  `json:"archive_size,omitzero"`

	// Of totals that were kept: of what, how many and, as Billed, how much.
	Of       string      `json:"of,omitzero"`
	Name     string      `json:"name,omitzero"`
	Value    string      `json:"value,omitzero"`
	Month    string      `json:"month,omitzero"`
	Slots    slots       `json:"slots,omitzero"`
	Requests int64       `json:"requests,omitzero"`
	Quoted   pricing.USD `json:"quoted,omitzero"`

	// Keys are those of settled requests that were kept; see [key].
	Keys keys `json:"keys,omitzero"`

	// Used is what was billed and set aside before this line, all together, and
	// N its number. They tell what lines that were lost can hide.
	Used pricing.USD `json:"used,omitzero"`
	N    int64       `json:"n,omitzero"`
}

const (
	eventLedger   = "ledger" // the first line
	eventTotal    = "total"  // kept
	eventKeys     = "keys"   // kept
	eventReserved = "reserved"
	eventAccepted = "accepted"
	eventSettled  = "settled"
	eventReleased = "released"
)

// least is what was billed by the cheapest reading.
func (e event) least() pricing.USD { return e.Billed - e.Less }

// first reports whether the event is both the first and the last of its entry.
func (e event) first() bool { return e.Event == eventSettled && e.Endpoint != "" }

// valid reports whether the event is one that a ledger knows and could have been
// written by one.
func (e event) valid() bool {
	if min(e.Min, e.Expected, e.Max, e.Reserved, e.UnitPrice, e.Billed, e.Less, e.least(), e.Quoted, e.Used) < 0 {
		return false
	}
	switch e.Event {
	case eventLedger:
		return e.N == 1 && e.Version == version && e.Kept >= 0 && e.ArchiveSize >= 0
	case eventTotal:
		return e.N > 1 && e.Requests >= 0
	case eventKeys:
		return e.N > 1
	case eventReserved:
		return e.ID != "" && e.Reserved > 0
	case eventAccepted, eventSettled, eventReleased:
		return e.ID != ""
	}
	return false
}

// Each line ends with a sum of what is before it in the line.
const (
	sumForm = `,"sum":"%08x"}`
	sumSize = len(`,"sum":"00000000"}`)
	// maxLine is the most bytes that a line has.
	maxLine = 256 << 10
)

// appendLine appends the event as a line.
func (e event) appendLine(dst []byte) ([]byte, error) {
	line, err := json.Marshal(e)
	if err == nil && len(line)+sumSize > maxLine {
		err = fmt.Errorf("a line of %d bytes: at most %d are accepted, so the tags are too long", len(line), maxLine)
	}
	if err != nil {
		return dst, err
	}
	line = line[:len(line)-1]
	dst = append(dst, line...)
	dst = fmt.Appendf(dst, sumForm, crc32.ChecksumIEEE(line))
	return append(dst, '\n'), nil
}

// parseLine reads a line. Those of version 1 have no number.
func parseLine(line []byte) (e event, ok bool) {
	line = bytes.TrimRight(line, "\r\n")
	if json.Unmarshal(line, &e) != nil || !e.valid() {
		return e, false
	}
	if e.N == 0 {
		return e, true
	}
	body := len(line) - sumSize
	return e, body > 0 && string(line[body:]) == fmt.Sprintf(sumForm, crc32.ChecksumIEEE(line[:body]))
}

// torn reports whether a line is the beginning of one that a crash cut off.
func torn(line []byte) bool {
	const begins = `{"time":"`
	line = bytes.TrimRight(line, "\r\n")
	if !bytes.HasPrefix(line, []byte(begins)) {
		return len(line) > 0 && bytes.HasPrefix([]byte(begins), line)
	}
	var v any
	err := json.Unmarshal(line, &v)
	return err != nil && err.Error() == "unexpected end of JSON input"
}
