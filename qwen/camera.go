package qwen

import "math"

// Direction is where the camera looks at the subject from, in degrees around
// it: Right shows the right side of the subject, Left its left side. Any number
// from 0 to 360 is accepted; the constants are what the weights were trained on.
type Direction float64

// The directions.
const (
	Front      Direction = 0
	FrontRight Direction = 45
	Right      Direction = 90
	BackRight  Direction = 135
	Back       Direction = 180
	BackLeft   Direction = 225
	Left       Direction = 270
	FrontLeft  Direction = 315
)

// Height is how high the camera stands, in degrees: below zero it looks up at
// the subject, above zero down.
type Height float64

// The heights.
const (
	LowAngle  Height = -30
	EyeLevel  Height = 0
	Elevated  Height = 30
	HighAngle Height = 60
	BirdsEye  Height = 90
)

// Distance is how close the camera comes, 0 (far) to 10 (near). Fields are
// pointers: write new(qwen.CloseUp).
type Distance float64

// The distances.
const (
	WideShot   Distance = 0
	MediumShot Distance = 5
	CloseUp    Distance = 10
)

// Turn is a move of the camera around the subject, in degrees from where it
// stands in the picture given: positive is to the left.
type Turn float64

// The turns.
const (
	RotateLeft  Turn = 90
	RotateRight Turn = -90
)

// Tilt is how high the camera of [Edit2509Angles] stands, from -1 (above) to 1
// (below). How the service treats tilts between the constants is not documented.
type Tilt float64

// The tilts.
const (
	TiltBirdsEye Tilt = -1
	TiltLevel    Tilt = 0
	TiltWormsEye Tilt = 1
)

// Turn returns the move of the camera that [Edit2509Angles] takes in
// RotateRightLeft, for a picture that shows the subject from the front: Right
// becomes RotateRight, taking both to mean the same way around. Directions may
// be any number of degrees, also negative ones. It returns false for directions
// more than 90 degrees from the front, which [Edit2509Angles] cannot reach, and
// for what is no number.
//
// There is no such method for Zoom: it is a distance, MoveForward a way.
func (d Direction) Turn() (Turn, bool) {
	r := math.Remainder(float64(d), 360) // -180 to 180, and NaN for what is no number
	if !(math.Abs(r) <= 90) {
		return 0, false
	}
	return Turn(0 - r), true // not -r, which makes a negative zero
}

// Tilt returns the tilt that [Edit2509Angles] takes as VerticalAngle: BirdsEye
// becomes TiltBirdsEye, LowAngle becomes TiltWormsEye, and what lies between
// keeps its proportion. Higher and lower cameras give the same as these two.
func (h Height) Tilt() Tilt {
	if h >= EyeLevel {
		return max(Tilt(0-h/BirdsEye), TiltBirdsEye)
	}
	return min(Tilt(h/LowAngle), TiltWormsEye)
}
