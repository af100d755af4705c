package qwen_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/qwen"
)

func TestTurn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		direction qwen.Direction
		want      qwen.Turn
		ok        bool
	}{
		{qwen.Front, 0, true},
		{360, 0, true},
		{qwen.FrontRight, -45, true},
		{qwen.Right, qwen.RotateRight, true},
		{90.5, 0, false},
		{qwen.BackRight, 0, false},
		{qwen.Back, 0, false},
		{qwen.BackLeft, 0, false},
		{qwen.Left, qwen.RotateLeft, true},
		{qwen.FrontLeft, 45, true},
		{-45, 45, true},
		{-360 - 90, qwen.RotateLeft, true},
		{qwen.Direction(math.NaN()), 0, false},
		{qwen.Direction(math.Inf(1)), 0, false},
	} {
		got, ok := tt.direction.Turn()
		if got != tt.want || ok != tt.ok || math.Signbit(float64(got)) != (got < 0) {
			t.Errorf("%v.Turn() = %v, %v, want %v, %v", tt.direction, got, ok, tt.want, tt.ok)
		}
	}
}

func TestTilt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		height qwen.Height
		want   qwen.Tilt
	}{
		{qwen.LowAngle, qwen.TiltWormsEye},
		{-90, qwen.TiltWormsEye},
		{-15, 0.5},
		{qwen.EyeLevel, qwen.TiltLevel},
		{45, -0.5},
		{qwen.BirdsEye, qwen.TiltBirdsEye},
		{120, qwen.TiltBirdsEye},
	} {
		if got := tt.height.Tilt(); got != tt.want || math.Signbit(float64(got)) != (got < 0) {
			t.Errorf("%v.Tilt() = %v, want %v", tt.height, got, tt.want)
		}
	}
}

// TestNamedAngles puts every name into the fields it is for.
func TestNamedAngles(t *testing.T) {
	t.Parallel()
	files := []fal.File{fal.URL("https://example.com/chair.jpg")}
	for _, horizontal := range []qwen.Direction{
		qwen.Front, qwen.FrontRight, qwen.Right, qwen.BackRight, qwen.Back, qwen.BackLeft, qwen.Left, qwen.FrontLeft,
	} {
		for _, vertical := range []qwen.Height{qwen.LowAngle, qwen.EyeLevel, qwen.Elevated, qwen.HighAngle, qwen.BirdsEye} {
			for _, zoom := range []qwen.Distance{qwen.WideShot, qwen.MediumShot, qwen.CloseUp} {
				r := qwen.Edit2511Angles{ImageURLs: files, HorizontalAngle: horizontal, VerticalAngle: vertical, Zoom: &zoom}
				if err := r.Validate(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	for _, rotate := range []qwen.Turn{qwen.RotateLeft, qwen.RotateRight} {
		for _, tilt := range []qwen.Tilt{qwen.TiltBirdsEye, qwen.TiltLevel, qwen.TiltWormsEye} {
			if err := (qwen.Edit2509Angles{ImageURLs: files, RotateRightLeft: rotate, VerticalAngle: tilt}).Validate(); err != nil {
				t.Error(err)
			}
		}
	}
	// A height of the one form is refused by the other.
	if err := (qwen.Edit2509Angles{ImageURLs: files, VerticalAngle: -30}).Validate(); err == nil {
		t.Error("Edit2509Angles accepted a height in degrees")
	}
}

func ExampleFront() {
	chair := []fal.File{fal.URL("https://example.com/chair.jpg")}
	req := qwen.Edit2511Angles{
		ImageURLs:       chair,
		HorizontalAngle: qwen.FrontRight,
		VerticalAngle:   qwen.Elevated,
		Zoom:            new(qwen.CloseUp),
	}
	fmt.Println(req.Validate(), req.HorizontalAngle, req.VerticalAngle, *req.Zoom)
	// Output: <nil> 45 30 10
}

func ExampleDirection_Turn() {
	for _, direction := range []qwen.Direction{qwen.Right, qwen.FrontLeft, qwen.Back} {
		rotate, ok := direction.Turn()
		fmt.Println(rotate, ok)
	}
	// Output:
	// -90 true
	// 45 true
	// 0 false
}
