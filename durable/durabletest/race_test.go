//go:build race

package durabletest_test

// raceDetector says that code runs many times slower.
const raceDetector = true
