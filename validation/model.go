package validation

import (
	"maps"
	"math"
	"slices"

	"github.com/duroxide/duroxide-go/core"
)

// A model is what a provider must look like from outside, as plainly as it can
// be said. It knows no time but ticks: what is short ends with the tick, what is
// not never ends.
type model struct {
	tick       int
	instances  map[string]*modelInstance
	ids        []string
	activities []*modelActivity // in the order of the queue
	sessions   map[string]*modelClaim
	last       uint64 // of the numbers given to messages, activities and values
	turns      []string
	works      []string // tokens, dead ones too
}

// never is the tick in which nothing ends.
const never = math.MaxInt

type modelInstance struct {
	id             string
	created        bool // there is a row
	current        uint64
	executions     map[uint64]*modelExecution
	snapshot, live map[string]core.KVEntry
	status         *string
	statusVersion  uint64
	messages       []*modelMessage // in the order of the queue
	token          string          // of the last fetch until it is acknowledged or abandoned
	until          int             // the tick in which its lock has ended
	turn           string          // the token of the last acknowledgement
}

type modelExecution struct {
	status core.ExecutionStatus
	output *string
	pin    *core.Version
	events []core.Event
}

type modelMessage struct {
	item     core.WorkItem
	visible  int // the tick in which it has become visible
	attempts uint32
	token    string
}

type modelActivity struct {
	item     core.ActivityExecuteItem
	visible  int
	attempts uint32
	token    string
	until    int
}

type modelClaim struct {
	owner string
	until int
}

func newModel(ids ...string) *model {
	m := &model{instances: map[string]*modelInstance{}, ids: ids, sessions: map[string]*modelClaim{}}
	for _, id := range ids {
		m.instances[id] = newModelInstance(id)
	}
	return m
}

func newModelInstance(id string) *modelInstance {
	return &modelInstance{
		id: id, current: 1, executions: map[uint64]*modelExecution{},
		snapshot: map[string]core.KVEntry{}, live: map[string]core.KVEntry{},
	}
}

func (m *model) number() uint64 {
	m.last++
	return m.last
}

// events returns the history of an execution.
func (i *modelInstance) events(exec uint64) []core.Event {
	if e := i.executions[exec]; e != nil {
		return e.events
	}
	return nil
}

// nextID returns the id that follows the history of an execution.
func (i *modelInstance) nextID(exec uint64) uint64 {
	events := i.events(exec)
	if len(events) == 0 {
		return 1
	}
	return events[len(events)-1].ID + 1
}

// visible returns the messages that a fetch would bring.
func (m *model) visible(i *modelInstance) []*modelMessage {
	var list []*modelMessage
	for _, msg := range i.messages {
		if msg.visible <= m.tick {
			list = append(list, msg)
		}
	}
	return list
}

// candidate reports whether a fetch may bring the instance.
func (m *model) candidate(i *modelInstance, f *core.CapabilityFilter) bool {
	if i.token != "" && i.until > m.tick || len(m.visible(i)) == 0 {
		return false
	}
	if f == nil {
		return true
	}
	if len(f.SupportedVersions) == 0 {
		return false
	}
	e := i.executions[i.current]
	return e == nil || e.pin == nil || f.SupportedVersions[0].Contains(*e.pin)
}

// marked returns the messages of a token.
func (i *modelInstance) marked(token string) []*modelMessage {
	var list []*modelMessage
	for _, msg := range i.messages {
		if msg.token == token {
			list = append(list, msg)
		}
	}
	return list
}

// byTurn returns the instance that a token belongs to, nil for a dead one.
func (m *model) byTurn(token string) *modelInstance {
	for _, i := range m.instances {
		if i.token == token && token != "" {
			return i
		}
	}
	return nil
}

// fetchTurn locks an instance.
func (m *model) fetchTurn(i *modelInstance, token string, until int) {
	for _, msg := range m.visible(i) {
		msg.token = token
		msg.attempts++
	}
	i.token, i.until = token, until
	m.turns = append(m.turns, token)
}

// ackTurn does what an acknowledgement does that is not refused.
func (m *model) ackTurn(i *modelInstance, exec uint64, a ack) {
	i.messages = slices.DeleteFunc(i.messages, func(msg *modelMessage) bool { return msg.token == i.token })
	i.turn, i.token = i.token, ""
	i.created = i.created || a.meta.OrchestrationName != nil
	i.current = max(i.current, exec)
	e := i.executions[exec]
	if e == nil {
		e = &modelExecution{status: core.StatusRunning}
		i.executions[exec] = e
	}
	if a.meta.PinnedDuroxideVersion != nil {
		e.pin = a.meta.PinnedDuroxideVersion
	}
	e.events = append(e.events, a.events...)
	if a.meta.Status != "" {
		e.status, e.output = a.meta.Status, a.meta.Output
	}
	touched := false
	for _, event := range a.events {
		switch d := event.Data.(type) {
		case core.CustomStatusUpdated:
			i.status, touched = d.Status, true
		case core.KeyValueSet:
			i.live[d.Key] = core.KVEntry{Value: d.Value, LastUpdatedAtMs: d.LastUpdatedAtMs}
		case core.KeyValueCleared:
			delete(i.live, d.Key)
		case core.KeyValuesCleared:
			clear(i.live)
		}
	}
	if touched {
		i.statusVersion++
	}
	if a.meta.Status.IsTerminal() {
		i.snapshot = maps.Clone(i.live)
	}
	for _, item := range a.work {
		m.schedule(item.(core.ActivityExecuteItem))
	}
	m.activities = slices.DeleteFunc(m.activities, func(act *modelActivity) bool {
		return slices.Contains(a.cancelled, identify(act.item))
	})
	for _, item := range a.messages {
		m.send(item, 0)
	}
}

func (m *model) abandonTurn(i *modelInstance, visible int, ignoreAttempt bool) {
	for _, msg := range i.marked(i.token) {
		if visible > 0 {
			msg.visible = visible
		}
		if ignoreAttempt {
			msg.attempts--
		}
		msg.token = ""
	}
	i.token = ""
}

// send adds a message that is hidden until a tick. A timer of the future never
// comes in a history.
func (m *model) send(item core.WorkItem, visible int) {
	if timer, ok := item.(core.TimerFiredItem); ok && timer.FireAtMs > stampedAt {
		visible = never
	}
	i := m.instances[item.RoutingInstance()]
	i.messages = append(i.messages, &modelMessage{item: item, visible: visible})
}

func (m *model) schedule(item core.ActivityExecuteItem) {
	m.activities = append(m.activities, &modelActivity{item: item})
}

// eligible returns the activity that a fetch must bring, nil for none.
func (m *model) eligible(tags core.TagFilter, owner string) *modelActivity {
	for _, act := range m.activities {
		if act.visible > m.tick || act.token != "" && act.until > m.tick || !tags.Matches(act.item.Tag) {
			continue
		}
		if s := act.item.SessionID; s != nil {
			claim := m.sessions[*s]
			if owner == "" || claim != nil && claim.until > m.tick && claim.owner != owner {
				continue
			}
		}
		return act
	}
	return nil
}

func (m *model) fetchWork(act *modelActivity, token string, until int, claim *modelClaim) {
	act.attempts++
	act.token, act.until = token, until
	m.works = append(m.works, token)
	if act.item.SessionID != nil {
		m.sessions[*act.item.SessionID] = claim
	}
}

// byWork returns the activity that a token belongs to, nil for a dead one.
func (m *model) byWork(token string) *modelActivity {
	for _, act := range m.activities {
		if act.token == token && token != "" {
			return act
		}
	}
	return nil
}

func (m *model) remove(act *modelActivity) {
	m.activities = slices.DeleteFunc(m.activities, func(a *modelActivity) bool { return a == act })
}

// cleanUp removes the claims that have ended and that no activity needs.
func (m *model) cleanUp() (n uint64) {
	for s, claim := range m.sessions {
		needed := slices.ContainsFunc(m.activities, func(act *modelActivity) bool {
			return act.item.SessionID != nil && *act.item.SessionID == s
		})
		if claim.until <= m.tick && !needed {
			delete(m.sessions, s)
			n++
		}
	}
	return n
}

// delete forgets an instance and returns what there was.
func (m *model) delete(i *modelInstance) core.DeleteInstanceResult {
	result := core.DeleteInstanceResult{
		InstancesDeleted: 1, ExecutionsDeleted: uint64(len(i.executions)), QueueMessagesDeleted: uint64(len(i.messages)),
	}
	for _, e := range i.executions {
		result.EventsDeleted += uint64(len(e.events))
	}
	before := len(m.activities)
	m.activities = slices.DeleteFunc(m.activities, func(act *modelActivity) bool { return act.item.Instance == i.id })
	result.QueueMessagesDeleted += uint64(before - len(m.activities))
	m.instances[i.id] = newModelInstance(i.id)
	return result
}

// prune forgets executions and returns what there was.
func (i *modelInstance) prune(keepLast int) core.PruneResult {
	result := core.PruneResult{InstancesProcessed: 1}
	ids := slices.Sorted(maps.Keys(i.executions))
	for n, id := range ids {
		if e := i.executions[id]; n < len(ids)-keepLast && id != i.current && e.status != core.StatusRunning {
			result.ExecutionsDeleted++
			result.EventsDeleted += uint64(len(e.events))
			delete(i.executions, id)
		}
	}
	return result
}
