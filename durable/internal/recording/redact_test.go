package recording_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/recording"
)

func TestRedactPayload(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		``:                   ``,
		`plain Text, 42%`:    `aaaaa Aaaa, 11%`,
		`null`:               `null`,
		`true`:               `true`,
		`0`:                  `0`,
		`-12.50e3`:           `-11.11e1`,
		`[1,[],{},"",false]`: `[1,[],{},"",false]`,
		`{"z":"Ada <ada@example.org>","a":[250,{"k":null}]}`: `{"z":"Aaa <aaa@aaaaaaa.aaa>","a":[111,{"k":null}]}`,
		`{"at":"2026-02-03T14:05:06.789+02:00"}`:             `{"at":"1111-11-11T11:11:11.111+11:11"}`,
		`"2026-02-03T14:05:06Z"`:                             `"1111-11-11T11:11:11Z"`,
		`2026-02-03T14:05:06Z`:                               `1111-11-11T11:11:11Z`,
		`"0c8f6a2e-9c1d-4b53-8f41-6a0f4f1f2b7e"`:             `"1a1a1a1a-1a1a-1a11-1a11-1a1a1a1a1a1a"`,
		`{"not JSON"`:                                        `{"aaa AAAA"`,
		`"Zoë 李 ٣"`:                                          `"Aaa a 1"`,
	} {
		e := execution(1, core.ActivityScheduled{Name: "n", Input: payload})
		if got := recording.Redact(e).Events[1].Data.(core.ActivityScheduled).Input; got != want {
			t.Errorf("%s becomes %s, want %s", payload, got, want)
		}
	}
}

// Every text of every event is either needed for a replay or gone.
func TestRedactEveryEvent(t *testing.T) {
	t.Parallel()
	const secret = "Secret"
	keep := map[string]bool{ // names, ids, and reasons of the runtime
		"OrchestrationStarted.Name": true, "OrchestrationStarted.Version": true, "OrchestrationStarted.ParentInstance": true,
		"ActivityScheduled.Name": true, "ActivityScheduled.SessionID": true, "ActivityScheduled.Tag": true,
		"ActivityCancelRequested.Reason": true, "SubOrchestrationCancelRequested.Reason": true,
		"ExternalSubscribed.Name": true, "ExternalEvent.Name": true, "ExternalSubscribedCancelled.Reason": true,
		"QueueSubscribed.Name": true, "QueueEventDelivered.Name": true, "QueueSubscriptionCancelled.Reason": true,
		"OrchestrationChained.Name": true, "OrchestrationChained.Instance": true,
		"SubOrchestrationScheduled.Name": true, "SubOrchestrationScheduled.Instance": true,
		"KeyValueSet.Key": true, "KeyValueCleared.Key": true,
	}
	details := []core.ErrorDetails{
		core.ApplicationError{Kind: core.KindCancelled(secret), Message: secret},
		core.InfrastructureError{Operation: "ack", Message: secret},
		core.ConfigurationError{Kind: core.Nondeterminism, Message: new(secret)},
		core.PoisonError{Message: secret, MessageType: core.PoisonUndecodable{Instance: "o1", Error: secret}},
		core.PoisonError{Message: secret, MessageType: core.PoisonActivity{Instance: "o1", ActivityName: "a"}},
	}
	for _, data := range []core.EventData{
		core.OrchestrationStarted{}, core.OrchestrationCompleted{}, core.OrchestrationFailed{}, core.OrchestrationContinuedAsNew{},
		core.OrchestrationCancelRequested{}, core.ActivityScheduled{}, core.ActivityCompleted{}, core.ActivityFailed{},
		core.ActivityCancelRequested{}, core.TimerCreated{}, core.TimerFired{}, core.ExternalSubscribed{}, core.ExternalEvent{},
		core.ExternalSubscribedCancelled{}, core.QueueSubscribed{}, core.QueueEventDelivered{}, core.QueueSubscriptionCancelled{},
		core.OrchestrationChained{}, core.SubOrchestrationScheduled{}, core.SubOrchestrationCompleted{}, core.SubOrchestrationFailed{},
		core.SubOrchestrationCancelRequested{}, core.CustomStatusUpdated{}, core.KeyValueSet{}, core.KeyValueCleared{}, core.KeyValuesCleared{},
	} {
		typ := reflect.TypeOf(data)
		for i := range typ.NumField() {
			name := typ.Name() + "." + typ.Field(i).Name
			for _, d := range details {
				v := reflect.New(typ).Elem()
				switch typ.Field(i).Type {
				case reflect.TypeFor[string]():
					v.Field(i).SetString(secret)
				case reflect.TypeFor[*string]():
					v.Field(i).Set(reflect.ValueOf(new(secret)))
				case reflect.TypeFor[[]core.QueueEvent]():
					v.Field(i).Set(reflect.ValueOf([]core.QueueEvent{{Name: "q", Data: secret}}))
				case reflect.TypeFor[core.ErrorDetails]():
					v.Field(i).Set(reflect.ValueOf(d))
				default:
					continue // a number
				}
				before := v.Interface().(core.EventData)
				original := fmt.Sprintf("%#v", before)
				e := execution(1, before)
				text := write(t, execution(1, recording.Redact(e).Events[1].Data))
				if strings.Contains(text, secret) != keep[name] {
					t.Errorf("%s: kept %v, want %v", name, !keep[name], keep[name])
				}
				if diff := cmp.Diff(original, fmt.Sprintf("%#v", e.Events[1].Data)); diff != "" {
					t.Errorf("%s: the original was changed: %s", name, diff)
				}
			}
		}
	}
}
