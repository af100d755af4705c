package fal

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// State is where a job stands.
type State string

// The states of a job. There is none for failure: a job that failed or was
// cancelled is completed too, and only its result tells.
const (
	InQueue    State = "IN_QUEUE"
	InProgress State = "IN_PROGRESS"
	Completed  State = "COMPLETED"
)

// Status is where a job stands at one moment. A state that this package does
// not know is passed on as it came.
type Status struct {
	State State
	// QueuePosition is the number of requests ahead in the queue.
	QueuePosition int
	// Logs are the log lines of the model, if they were asked for by
	// [WithLogs]: all so far from [Job.Status], the new ones from
	// [Job.Updates].
	Logs []Log
	// InferenceTime is the time the model took, once the job is completed; 0
	// if fal did not say.
	InferenceTime time.Duration
	// Error and ErrorType say why a completed job failed. [Job.Wait] returns
	// them in full, as an [Error].
	Error, ErrorType string
}

// Log is a line that the model logged.
type Log struct {
	Message   string `json:"message"`
	Timestamp string `json:"timestamp,omitzero"` // as fal sends it, in ISO 8601
	Level     string `json:"level,omitzero"`     // such as "INFO" or "STDERR"
	Source    string `json:"source,omitzero"`
}

// statusBody is a status as it is on the wire. Everything but the status may
// be null or missing.
type statusBody struct {
	Status        State   `json:"status"`
	RequestID     string  `json:"request_id"`
	QueuePosition float64 `json:"queue_position"`
	Logs          []Log   `json:"logs"`
	Metrics       struct {
		InferenceTime json.RawMessage `json:"inference_time"` // parsed later, where less stack is in use
	} `json:"metrics"`
	Error     json.RawMessage `json:"error"`
	ErrorType string          `json:"error_type"`

	ResponseURL string `json:"response_url"`
	StatusURL   string `json:"status_url"`
	CancelURL   string `json:"cancel_url"`
}

// decodeStatus reads what it can: a field of an unexpected type is left out.
func decodeStatus(data []byte) (statusBody, bool) {
	var b statusBody
	if err := json.Unmarshal(data, &b); !tolerant(err) {
		if len(data) < maxStatus {
			return b, false
		}
		// It was cut off on this side, in its log.
		value, _ := readLoose(data, func(s string) string { return s })
		object, _ := value.(map[string]any)
		b = statusBody{Status: State(looseText(object["status"])), ErrorType: looseText(object["error_type"])}
	}
	return b, b.Status != ""
}

// tolerant reports whether what was unmarshalled can be used: fields of an
// unexpected type are left out, and all the others are there.
func tolerant(err error) bool {
	_, badType := errors.AsType[*json.UnmarshalTypeError](err)
	return err == nil || badType
}

func (b *statusBody) status() Status {
	seconds, err := strconv.ParseFloat(string(b.Metrics.InferenceTime), 64)
	if err != nil {
		seconds = 0
	}
	s := Status{
		State:         b.Status,
		QueuePosition: int(b.QueuePosition),
		Logs:          b.Logs,
		InferenceTime: time.Duration(seconds * float64(time.Second)),
		ErrorType:     b.ErrorType,
	}
	if len(b.Error) > 0 && json.Unmarshal(b.Error, &s.Error) != nil {
		s.Error = shorten(string(b.Error))
	}
	return s
}
