package batch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// line is a line of a manifest.
type line struct {
	Key       string    `json:"key"`
	State     State     `json:"state"`
	Endpoint  string    `json:"endpoint"`
	Sent      time.Time `json:"sent"`
	RequestID string    `json:"request_id,omitzero"`
	Units     string    `json:"billable_units,omitzero"`
	Files     []File    `json:"files,omitzero"`
	Failure   *Failure  `json:"failure,omitzero"`
}

// WriteManifest writes what a journal has of each item, a JSON object in each line,
// in the order in which they were sent: key, state, endpoint, sent, request_id,
// billable_units, files and failure. It may be called while a batch runs.
func WriteManifest(ctx context.Context, w io.Writer, j Journal) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for row, err := range j.All(ctx) {
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if err := enc.Encode(line{row.Key, row.State, row.Endpoint, row.Sent, row.RequestID, row.Units, row.Files, row.Failure}); err != nil {
			return err
		}
	}
	return out.Flush()
}
