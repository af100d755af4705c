package platform

import (
	"encoding/json"
	"time"
)

// Time is a time that the platform tells. It is zero where there is none, and
// where it cannot be read, which costs nothing else of an answer.
type Time struct{ time.Time }

// UnmarshalJSON reads a time or a date in the forms of ISO 8601, taken to be in
// UTC where it names no zone. Anything else is the zero time.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time = time.Time{}
	var text string
	_ = json.Unmarshal(data, &text) // what is no text is no time
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		at, err := time.Parse(form, text)
		if err == nil {
			t.Time = at
			break
		}
	}
	return nil
}
