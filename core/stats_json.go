package core

// UnmarshalJSON implements [encoding/json.Unmarshaler]: all five numbers are
// required, unknown keys are ignored, and the rules of [DecodeEvent] hold.
func (s *SystemStats) UnmarshalJSON(data []byte) error {
	var r reader
	if r.object(data) {
		decoded := SystemStats{
			HistoryEventCount: r.uint(keyHistoryEventCount),
			HistorySizeBytes:  r.uint(keyHistorySizeBytes),
			QueuePendingCount: r.uint(keyQueuePendingCount),
			KVUserKeyCount:    r.uint(keyKVUserKeyCount),
			KVTotalValueBytes: r.uint(keyKVTotalValueBytes),
		}
		if r.err == nil {
			*s = decoded
		}
	}
	_, err := done(&r, "system stats", struct{}{})
	return err
}
