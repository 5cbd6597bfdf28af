// Package replaycheck shows how an orchestration is tested: the free trial of a
// service, which waits for a month.
//
// trial.go is the workflow. trial_test.go runs it in virtual time, with
// activities that are mocked. replay_test.go replays the histories in
// testdata/histories with today's code, and broken_test.go shows what that says
// of releases that would break the instances. check is the program for
//
//	go build -o trial-check ./examples/replaycheck/check
//	duroxide export --schema trials --check ./trial-check
//
// which asks the same of a live system. docs/testing.md explains all of it.
package replaycheck
