package core

import "github.com/duroxide/duroxide-go/core/internal/wire"

// What only the Go members of the family store is in an object that the others
// ignore: {"dxgo":{"request_id":"…"}} with a start, {"dxgo":{"first_attempt":2}}
// with an activity.

func writeStartExtras(w *wire.Writer, requestID *string) {
	if requestID == nil {
		return
	}
	w.Key(keyNames[keyDxgo])
	w.Open()
	w.String(keyNames[keyRequestID], *requestID)
	w.Close()
}

func readStartExtras(r *reader) *string {
	return readExtras(r, func(r *reader) *string { return r.optStr(keyRequestID) })
}

func writeActivityExtras(w *wire.Writer, firstAttempt *uint64) {
	if firstAttempt == nil {
		return
	}
	w.Key(keyNames[keyDxgo])
	w.Open()
	w.Uint(keyNames[keyFirstAttempt], *firstAttempt)
	w.Close()
}

func readActivityExtras(r *reader) *uint64 {
	return readExtras(r, func(r *reader) *uint64 { return r.optUint(keyFirstAttempt) })
}

// readExtras ignores what it does not know, as all members do.
func readExtras[T any](r *reader, read func(*reader) *T) *T {
	if r.slots[keyDxgo].Kind != wire.Object {
		return nil
	}
	return nested(r, keyDxgo, func(r *reader) *T {
		r.syntax(r.s.Object(r.slots[:], lookupKey))
		return read(r)
	})
}
