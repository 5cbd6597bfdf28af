package recording

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/duroxide/duroxide-go/core"
)

// Redact returns the execution with placeholders of the same shape in the place
// of everything that an instance carries: inputs, results, messages, errors,
// reasons, statuses, values, and the ids of requests. Digits become 1 and letters
// a or A; zeros that stand alone, true, false, null, punctuation, the keys of
// objects and the lengths of lists stay. Names, the ids of instances, tags,
// sessions, the keys of the store and times stay, because replay needs them.
func Redact(e Execution) Execution {
	e.Redacted = true
	e.KV = maps.Clone(e.KV)
	for k, v := range e.KV {
		v.Value = redact(v.Value)
		e.KV[k] = v
	}
	e.Events = slices.Clone(e.Events)
	for i := range e.Events {
		e.Events[i].Data = redactData(e.Events[i].Data)
	}
	return e
}

func redactData(data core.EventData) core.EventData {
	switch d := data.(type) {
	case core.OrchestrationStarted:
		d.Input = redact(d.Input)
		d.InitialCustomStatus = redactOptional(d.InitialCustomStatus)
		d.RequestID = redactOptional(d.RequestID)
		d.CarryForwardEvents = slices.Clone(d.CarryForwardEvents)
		for i := range d.CarryForwardEvents {
			d.CarryForwardEvents[i].Data = redact(d.CarryForwardEvents[i].Data)
		}
		return d
	case core.OrchestrationCompleted:
		return core.OrchestrationCompleted{Output: redact(d.Output)}
	case core.OrchestrationFailed:
		return core.OrchestrationFailed{Details: redactDetails(d.Details)}
	case core.OrchestrationContinuedAsNew:
		return core.OrchestrationContinuedAsNew{Input: redact(d.Input)}
	case core.OrchestrationCancelRequested:
		return core.OrchestrationCancelRequested{Reason: redactText(d.Reason)}
	case core.ActivityScheduled:
		d.Input = redact(d.Input)
		return d
	case core.ActivityCompleted:
		return core.ActivityCompleted{Result: redact(d.Result)}
	case core.ActivityFailed:
		return core.ActivityFailed{Details: redactDetails(d.Details)}
	case core.ExternalEvent:
		d.Data = redact(d.Data)
		return d
	case core.QueueEventDelivered:
		d.Data = redact(d.Data)
		return d
	case core.OrchestrationChained:
		d.Input = redact(d.Input)
		return d
	case core.SubOrchestrationScheduled:
		d.Input = redact(d.Input)
		return d
	case core.SubOrchestrationCompleted:
		return core.SubOrchestrationCompleted{Result: redact(d.Result)}
	case core.SubOrchestrationFailed:
		return core.SubOrchestrationFailed{Details: redactDetails(d.Details)}
	case core.CustomStatusUpdated:
		return core.CustomStatusUpdated{Status: redactOptional(d.Status)}
	case core.KeyValueSet:
		d.Value = redact(d.Value)
		return d
	}
	// The rest carries names and times, or a reason that the runtime wrote.
	return data
}

func redactDetails(details core.ErrorDetails) core.ErrorDetails {
	switch d := details.(type) {
	case core.ApplicationError:
		d.Message, d.Kind.Reason = redactText(d.Message), redactText(d.Kind.Reason)
		return d
	case core.InfrastructureError:
		d.Message = redactText(d.Message)
		return d
	case core.ConfigurationError:
		d.Message = redactOptional(d.Message)
		return d
	case core.PoisonError:
		d.Message = redactText(d.Message)
		if m, ok := d.MessageType.(core.PoisonUndecodable); ok {
			m.Error = redactText(m.Error)
			d.MessageType = m
		}
		return d
	}
	return details
}

func redactOptional(s *string) *string {
	if s == nil {
		return nil
	}
	r := redact(*s)
	return &r
}

// redact returns a payload's placeholder: JSON text stays JSON text.
func redact(payload string) string {
	dec := json.NewDecoder(strings.NewReader(payload))
	var out bytes.Buffer
	dec.UseNumber()
	if !json.Valid([]byte(payload)) || !redactValue(dec, &out) {
		return redactText(payload)
	}
	return out.String()
}

// redactValue copies the next value, keys as they are and in their order.
func redactValue(dec *json.Decoder, out *bytes.Buffer) bool {
	token, err := dec.Token()
	if err != nil {
		return false
	}
	switch v := token.(type) {
	case json.Delim:
		return redactComposite(dec, out, v)
	case string:
		writeString(out, redactText(v))
	case json.Number:
		out.WriteString(redactNumber(v.String()))
	case bool:
		if v {
			out.WriteString("true")
		} else {
			out.WriteString("false")
		}
	default:
		out.WriteString("null")
	}
	return true
}

// redactComposite copies an object or a list whose opening is read.
func redactComposite(dec *json.Decoder, out *bytes.Buffer, open json.Delim) bool {
	out.WriteRune(rune(open))
	for first := true; dec.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return false
			}
			writeString(out, key.(string)) // of an object nothing else is one
			out.WriteByte(':')
		}
		if !redactValue(dec, out) {
			return false
		}
	}
	end, err := dec.Token()
	if err != nil {
		return false
	}
	out.WriteRune(rune(end.(json.Delim)))
	return true
}

func writeString(out *bytes.Buffer, s string) {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can be encoded
	out.Truncate(out.Len() - 1)
}

// redactNumber keeps zero, the sign and the number of digits.
func redactNumber(s string) string {
	if s == "0" {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '1'
		}
		return r
	}, s)
}

// redactText keeps lengths, case, punctuation and white space, so that a date
// stays a date and hexadecimal digits stay such.
func redactText(s string) string {
	if _, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return redactNumber(s)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsDigit(r):
			return '1'
		case unicode.IsUpper(r):
			return 'A'
		case unicode.IsLetter(r):
			return 'a'
		}
		return r
	}, s)
}
