// Package golden checks the engine against recorded runs of the family's first
// runtime: turn by turn on what that runtime fetched, and as whole runs on every
// provider, with real activities, clients and clocks. It has tests only.
package golden
