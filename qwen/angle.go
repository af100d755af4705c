package qwen

import "math"

// Directions from which the camera looks at the subject, for the field
// HorizontalAngle of [Edit2511Angles] and of the FLUX.2 gallery of angles, in
// degrees around the subject. Right shows the right side of the subject, Left
// its left side. Any number of degrees from 0 to 360 is accepted; these eight
// are those that the weights were trained on.
const (
	Front      = 0.0
	FrontRight = 45.0
	Right      = 90.0
	BackRight  = 135.0
	Back       = 180.0
	BackLeft   = 225.0
	Left       = 270.0
	FrontLeft  = 315.0
)

// Heights of the camera, for the field VerticalAngle of [Edit2511Angles], in
// degrees: below zero it looks up at the subject, above zero down. The FLUX.2
// gallery of angles takes EyeLevel, Elevated and HighAngle only.
const (
	LowAngle  = -30.0
	EyeLevel  = 0.0
	Elevated  = 30.0
	HighAngle = 60.0
	BirdsEye  = 90.0
)

// Distances of the camera, for the field Zoom of [Edit2511Angles] and of the
// FLUX.2 gallery of angles. Zoom is a pointer: write new(qwen.CloseUp).
const (
	WideShot   = 0.0
	MediumShot = 5.0
	CloseUp    = 10.0
)

// Moves of the camera, for the field RotateRightLeft of [Edit2509Angles], in
// degrees from where it stands in the picture given.
const (
	RotateLeft  = 90.0
	RotateRight = -90.0
)

// Tilts of the camera, for the field VerticalAngle of [Edit2509Angles].
const (
	TiltBirdsEye = -1.0
	TiltLevel    = 0.0
	TiltWormsEye = 1.0
)

// Rotation turns a direction around the subject, as [Edit2511Angles] takes it,
// into the move of the camera that [Edit2509Angles] takes in RotateRightLeft,
// for a picture that shows the subject from the front: Right becomes
// RotateRight, taking both to mean the same way around. Directions may be any number of degrees, also negative ones. It
// returns false for directions more than 90 degrees from the front, which
// [Edit2509Angles] cannot reach, and for what is no number.
//
// There is no such function for Zoom: it is a distance, MoveForward a way.
func Rotation(direction float64) (rotateRightLeft float64, ok bool) {
	r := math.Remainder(direction, 360) // -180 to 180, and NaN for what is no number
	if !(math.Abs(r) <= 90) {
		return 0, false
	}
	return 0 - r, true // not -r, which makes a negative zero
}

// Tilt turns a height of the camera in degrees, as [Edit2511Angles] takes it,
// into the tilt that [Edit2509Angles] takes as VerticalAngle: BirdsEye becomes
// TiltBirdsEye, LowAngle becomes TiltWormsEye, and what lies between keeps its
// proportion. Higher and lower cameras give the same as these two. How the
// service treats tilts other than -1, 0 and 1 is not documented.
func Tilt(height float64) float64 {
	if height >= EyeLevel {
		return max(0-height/BirdsEye, TiltBirdsEye)
	}
	return min(height/LowAngle, TiltWormsEye)
}
