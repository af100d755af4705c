package flux

// Acceleration trades quality for speed on some endpoints. Higher is faster.
type Acceleration string

// The acceleration levels. Which of them an endpoint takes is checked by the
// request's Validate.
const (
	AccelerationNone    Acceleration = "none"
	AccelerationRegular Acceleration = "regular"
	AccelerationHigh    Acceleration = "high"
)

// SafetyTolerance is how much the safety filter lets pass, from "1", the
// strictest, to "5" on FLUX.2 and "6" on FLUX.1 [pro] and Kontext.
type SafetyTolerance string

// The levels of the safety filter. The default is 2.
const (
	SafetyTolerance1 SafetyTolerance = "1"
	SafetyTolerance2 SafetyTolerance = "2"
	SafetyTolerance3 SafetyTolerance = "3"
	SafetyTolerance4 SafetyTolerance = "4"
	SafetyTolerance5 SafetyTolerance = "5"
	SafetyTolerance6 SafetyTolerance = "6"
)
