package core

import "github.com/duroxide/duroxide-go/core/internal/wire"

// What only the Go members of the family store with a start is in an object that
// the others ignore: {"dxgo":{"request_id":"…"}}.

func writeStartExtras(w *wire.Writer, requestID *string) {
	if requestID == nil {
		return
	}
	w.Key(keyNames[keyDxgo])
	w.Open()
	w.String(keyNames[keyRequestID], *requestID)
	w.Close()
}

// readStartExtras ignores what it does not know, as all members do.
func readStartExtras(r *reader) *string {
	if r.slots[keyDxgo].Kind != wire.Object {
		return nil
	}
	return nested(r, keyDxgo, func(r *reader) *string {
		r.syntax(r.s.Object(r.slots[:], lookupKey))
		return r.optStr(keyRequestID)
	})
}
