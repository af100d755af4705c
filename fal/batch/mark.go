package batch

import (
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/provenance"
)

// mark writes into the picture at a path how it was made, and returns its new size
// and sum; ok is false if it was left as it is.
func (e *entry) mark(path string) (size int64, sum string, ok bool, err error) {
	record, known := e.record()
	if !known {
		return 0, "", false, nil
	}
	picture, err := os.ReadFile(path)
	if err != nil {
		return 0, "", false, err
	}
	marked, err := provenance.Mark(picture, record)
	if err != nil { // a JPEG takes no long request
		record.Input = nil
		marked, err = provenance.Mark(picture, record)
	}
	if err != nil {
		return 0, "", false, nil //nolint:nilerr // it is paid, and saved as it is
	}
	if err := overwrite(path, marked); err != nil {
		return 0, "", false, err
	}
	sum, err = fal.Path(path).SHA256()
	return int64(len(marked)), sum, err == nil, err
}

// overwrite writes a file anew, to the disk.
func overwrite(path string, content []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// record returns how the pictures of an item were made, as the runner wants it told.
// It is the same whenever they are saved.
func (e *entry) record() (record provenance.Record, known bool) {
	if e.run.Mark == nil || e.about == nil {
		return record, false
	}
	var sent, came struct {
		Seed uint64 `json:"seed"`
	}
	_ = json.Unmarshal(e.row.Payload, &sent) // of a model without a seed there is none
	if sent.Seed == 0 {
		_ = json.Unmarshal(e.row.Result, &came)
		sent.Seed = came.Seed
	}
	record, err := e.about(fal.Meta{Endpoint: e.row.Endpoint, RequestID: e.row.RequestID}, sent.Seed)
	if err != nil {
		return record, false // a file of the request is gone: that was long ago
	}
	record.Time = e.row.Sent.Truncate(time.Second)
	return e.run.Mark(record), true
}

// about is how a request tells how its pictures are made.
func about[Out any](r fal.Request[Out]) func(fal.Meta, uint64) (provenance.Record, error) {
	return func(meta fal.Meta, seed uint64) (provenance.Record, error) { return provenance.Of(r, meta, seed) }
}

// asSent is the request of a row, as it was sent.
func asSent[Out any](row *Row) fal.Request[Out] {
	var input map[string]any
	_ = json.Unmarshal(row.Payload, &input)
	return fal.Call[Out]{ID: fal.Endpoint[Out](row.Endpoint), Input: input}
}
