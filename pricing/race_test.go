//go:build race

package pricing_test

// raceDetector says that the race detector is on, which makes sync.Pool drop
// things at random.
const raceDetector = true
