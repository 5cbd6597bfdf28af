package sqliteprovider

import (
	"fmt"
	"math"

	"github.com/duroxide/duroxide-go/core"
)

// encodeItem checks and encodes one message.
func encodeItem(field string, item core.WorkItem) (string, error) {
	if item == nil {
		return "", fmt.Errorf("%w: %s is nil", core.ErrInvalidItem, field)
	}
	text, err := core.EncodeWorkItem(item)
	if err != nil {
		return "", fmt.Errorf("%w: %s: %v", core.ErrInvalidItem, field, err)
	}
	if err := checkText(field, string(text)); err != nil {
		return "", err
	}
	return string(text), nil
}

// encodeEvents checks and encodes the events of a history.
func encodeEvents(field string, events []core.Event) ([]string, error) {
	texts := make([]string, len(events))
	for i := range events {
		e := &events[i]
		if e.ID == 0 {
			return nil, invalid("%s[%d]: its id is 0", field, i)
		}
		if err := checkID(fmt.Sprintf("%s[%d].ID", field, i), e.ID); err != nil {
			return nil, err
		}
		if e.Data == nil {
			return nil, invalid("%s[%d].Data is nil", field, i)
		}
		text, err := core.EncodeEvent(*e)
		if err != nil {
			return nil, invalid("%s[%d]: %v", field, i, err)
		}
		if err := checkText(fmt.Sprintf("%s[%d]", field, i), string(text)); err != nil {
			return nil, err
		}
		texts[i] = string(text)
	}
	return texts, nil
}

// checkMetadata checks what is stored outside JSON.
func checkMetadata(m *core.ExecutionMetadata) error {
	for _, text := range []struct {
		field string
		value *string
	}{
		{"OrchestrationName", m.OrchestrationName},
		{"OrchestrationVersion", m.OrchestrationVersion},
		{"ParentInstanceID", m.ParentInstanceID},
		{"Output", m.Output},
		{"Status", (*string)(&m.Status)},
	} {
		if err := checkTextPtr("Metadata."+text.field, text.value); err != nil {
			return err
		}
	}
	if m.PinnedDuroxideVersion == nil {
		return nil
	}
	return checkPin(*m.PinnedDuroxideVersion)
}

// attemptCount returns a stored count in the type of the contract.
func attemptCount(n int64) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }
