//go:build !race

package durabletest_test

const raceDetector = false
