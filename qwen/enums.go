package qwen

// Acceleration trades quality for speed. Higher is faster; "high" is advised
// only for pictures without text.
type Acceleration string

// The acceleration levels. Which of them an endpoint takes is checked by the
// request's Validate.
const (
	AccelerationNone    Acceleration = "none"
	AccelerationRegular Acceleration = "regular"
	AccelerationHigh    Acceleration = "high"
)
