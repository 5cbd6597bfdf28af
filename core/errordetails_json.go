package core

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/duroxide/duroxide-go/core/internal/wire"
)

var errInvalidUTF8 = errors.New("a string is not valid UTF-8")

// EncodeErrorDetails returns the stored JSON of an error. It refuses nil, and
// kinds and message types that do not exist.
func EncodeErrorDetails(d ErrorDetails) ([]byte, error) { return AppendErrorDetails(nil, d) }

// AppendErrorDetails appends what [EncodeErrorDetails] returns to dst. It
// returns dst as it was with an error.
func AppendErrorDetails(dst []byte, d ErrorDetails) ([]byte, error) {
	w := wire.Writer{Buf: dst}
	err := writeDetailsValue(&w, d)
	if err == nil && !utf8.Valid(w.Buf[len(dst):]) {
		err = errInvalidUTF8
	}
	if err != nil {
		return dst, fmt.Errorf("error details: %w: %w", ErrInvalidArgument, err)
	}
	return w.Buf, nil
}

// writeDetails writes the member "details".
func writeDetails(w *wire.Writer, details ErrorDetails) error {
	w.Key("details")
	if err := writeDetailsValue(w, details); err != nil {
		return fmt.Errorf("details: %w", err)
	}
	return nil
}

func writeDetailsValue(w *wire.Writer, details ErrorDetails) error {
	var err error
	w.Open()
	switch d := details.(type) {
	case InfrastructureError:
		w.OpenField("Infrastructure")
		w.String("operation", d.Operation)
		w.String("message", d.Message)
		w.Bool("retryable", d.Retryable)
	case ConfigurationError:
		if d.Kind != Nondeterminism {
			err = fmt.Errorf("unknown configuration error kind %q", string(d.Kind))
		}
		w.OpenField("Configuration")
		w.String("kind", string(d.Kind))
		w.String("resource", d.Resource)
		w.StringOrNull("message", d.Message)
	case ApplicationError:
		w.OpenField("Application")
		err = writeAppErrorKind(w, d.Kind)
		w.String("message", d.Message)
		w.Bool("retryable", d.Retryable)
	case PoisonError:
		w.OpenField("Poison")
		w.Uint("attempt_count", uint64(d.AttemptCount))
		w.Uint("max_attempts", uint64(d.MaxAttempts))
		err = writePoisonMessageType(w, d.MessageType)
		w.String("message", d.Message)
	default:
		return fmt.Errorf("type %T: want one of the structs themselves, no pointer", details)
	}
	w.Close()
	w.Close()
	return err
}

func writeAppErrorKind(w *wire.Writer, k AppErrorKind) error {
	if k.Name == nameCancelled {
		w.OpenField("kind")
		w.OpenField(nameCancelled)
		w.String("reason", k.Reason)
		w.Close()
		w.Close()
		return nil
	}
	switch {
	case k != KindActivityFailed && k != KindOrchestrationFailed && k != KindPanicked && k.Reason == "":
		return fmt.Errorf("unknown application error kind %q", k.Name)
	case k.Reason != "":
		return fmt.Errorf("application error kind %q takes no reason", k.Name)
	}
	w.String("kind", k.Name)
	return nil
}

func writePoisonMessageType(w *wire.Writer, t PoisonMessageType) error {
	w.OpenField("message_type")
	switch t := t.(type) {
	case PoisonOrchestration:
		w.OpenField("Orchestration")
		w.String("instance", t.Instance)
		w.Uint("execution_id", t.ExecutionID)
	case PoisonActivity:
		w.OpenField("Activity")
		w.String("instance", t.Instance)
		w.Uint("execution_id", t.ExecutionID)
		w.String("activity_name", t.ActivityName)
		w.Uint("activity_id", t.ActivityID)
	case PoisonUndecodable:
		w.OpenField("FailedDeserialization")
		w.String("instance", t.Instance)
		w.Uint("execution_id", t.ExecutionID)
		w.String("error", t.Error)
	default:
		return fmt.Errorf("poison message type %T: want one of the structs themselves, no pointer", t)
	}
	w.Close()
	w.Close()
	return nil
}

// DecodeErrorDetails decodes the stored JSON of an error with the rules of
// [DecodeEvent].
func DecodeErrorDetails(data []byte) (ErrorDetails, error) {
	var r reader
	var details ErrorDetails
	r.syntax(r.s.Reset(data))
	if r.err == nil {
		details = readDetails(&r)
	}
	if r.err == nil {
		r.syntax(r.s.End())
	}
	return done(&r, "error details", details)
}

func readDetails(r *reader) ErrorDetails {
	switch name := r.variant(); name {
	case "Infrastructure":
		r.body(name, keyOperation, keyMessage, keyRetryable)
		return inVariant(r, name, func() ErrorDetails {
			return InfrastructureError{Operation: r.str(keyOperation), Message: r.str(keyMessage), Retryable: r.bool(keyRetryable)}
		})
	case "Configuration":
		r.body(name, keyKind, keyResource, keyMessage)
		return inVariant(r, name, func() ErrorDetails {
			return ConfigurationError{
				Kind:     nested(r, keyKind, readConfigErrorKind),
				Resource: r.str(keyResource),
				Message:  r.optStr(keyMessage),
			}
		})
	case "Application":
		r.body(name, keyKind, keyMessage, keyRetryable)
		return inVariant(r, name, func() ErrorDetails {
			return ApplicationError{
				Kind:      nested(r, keyKind, readAppErrorKind),
				Message:   r.str(keyMessage),
				Retryable: r.bool(keyRetryable),
			}
		})
	case "Poison":
		r.body(name, keyAttemptCount, keyMaxAttempts, keyMessageType, keyMessage)
		return inVariant(r, name, func() ErrorDetails {
			return PoisonError{
				AttemptCount: r.uint32(keyAttemptCount),
				MaxAttempts:  r.uint32(keyMaxAttempts),
				MessageType:  nested(r, keyMessageType, readPoisonMessageType),
				Message:      r.str(keyMessage),
			}
		})
	default:
		r.fail("", unknownVariant(name)) // unless a rule was broken before
		return nil
	}
}

// inVariant reads the fields of a variant whose body was scanned, and puts its
// name before the path of an error.
func inVariant[T any](r *reader, name string, read func() T) T {
	var t T
	if r.err == nil {
		if t = read(); r.err != nil {
			r.err = r.err.under(name)
		}
	}
	return t
}

func readConfigErrorKind(r *reader) ConfigErrorKind {
	name, bare := r.bareName()
	if !bare {
		name = r.variant()
	}
	switch {
	case r.err != nil:
	case name != string(Nondeterminism):
		r.fail("", unknownVariant(name))
	case !bare:
		r.unit(name)
	}
	return ConfigErrorKind(name)
}

func readAppErrorKind(r *reader) AppErrorKind {
	name, bare := r.bareName()
	if !bare {
		name = r.variant()
	}
	kind := AppErrorKind{Name: name}
	switch {
	case r.err != nil:
	case name == nameCancelled && bare:
		r.fail("", "variant Cancelled without its reason")
	case name == nameCancelled:
		r.body(name, keyReason)
		kind.Reason = inVariant(r, name, func() string { return r.str(keyReason) })
	case kind != KindActivityFailed && kind != KindOrchestrationFailed && kind != KindPanicked:
		r.fail("", unknownVariant(name))
	case !bare:
		r.unit(name)
	}
	return kind
}

func readPoisonMessageType(r *reader) PoisonMessageType {
	switch name := r.variant(); name {
	case "Orchestration":
		r.body(name, keyInstance, keyExecutionID)
		return inVariant(r, name, func() PoisonMessageType {
			return PoisonOrchestration{Instance: r.str(keyInstance), ExecutionID: r.uint(keyExecutionID)}
		})
	case "Activity":
		r.body(name, keyInstance, keyExecutionID, keyActivityName, keyActivityID)
		return inVariant(r, name, func() PoisonMessageType {
			return PoisonActivity{
				Instance:     r.str(keyInstance),
				ExecutionID:  r.uint(keyExecutionID),
				ActivityName: r.str(keyActivityName),
				ActivityID:   r.uint(keyActivityID),
			}
		})
	case "FailedDeserialization":
		r.body(name, keyInstance, keyExecutionID, keyError)
		return inVariant(r, name, func() PoisonMessageType {
			return PoisonUndecodable{Instance: r.str(keyInstance), ExecutionID: r.uint(keyExecutionID), Error: r.str(keyError)}
		})
	default:
		r.fail("", unknownVariant(name)) // unless a rule was broken before
		return nil
	}
}
