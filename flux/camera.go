package flux

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

// Height is how high the camera stands, in degrees, 0 to 60: above zero it
// looks down at the subject.
type Height float64

// The heights.
const (
	EyeLevel  Height = 0
	Elevated  Height = 30
	HighAngle Height = 60
)

// Distance is how close the camera comes, 0 (far) to 10 (near). Fields are
// pointers: write new(flux.CloseUp).
type Distance float64

// The distances.
const (
	WideShot   Distance = 0
	MediumShot Distance = 5
	CloseUp    Distance = 10
)
