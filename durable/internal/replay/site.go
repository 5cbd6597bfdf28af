package replay

import (
	"fmt"
	"runtime"
	"strings"
)

// module is the import path of package durable.
const module = "github.com/duroxide/duroxide-go/durable"

// callSite returns the file and line of the user code that called into the
// engine, such as "/src/orders/checkout.go:42"; empty when there is none.
func callSite() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if !isEngine(frame.Function) {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
		if !more {
			return ""
		}
	}
}

// isEngine reports whether a function belongs to package durable, the packages
// below it, or the Go runtime that runs coroutines.
func isEngine(function string) bool {
	rest, ok := strings.CutPrefix(function, module)
	return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "/internal/")) ||
		strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "runtime/") || strings.HasPrefix(function, "iter.")
}

// PanicSite returns the file and line of the user code that panicked, from
// [Output.PanicStack]; empty when there is none.
func PanicSite(stack string) string {
	lines := strings.Split(stack, "\n")
	for i, function := range lines[:len(lines)-1] {
		file, ok := strings.CutPrefix(lines[i+1], "\t")
		if ok && !isEngine(function) && !strings.HasPrefix(function, "panic(") {
			site, _, _ := strings.Cut(file, " ")
			return site
		}
	}
	return ""
}
