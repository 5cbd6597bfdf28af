package dispatch

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// decide runs Decide on an item, with code that returns its input as "o",
// versions 1.0.0 and 2.0.0.
func decide(t *testing.T, change func(*Turns), item core.OrchestrationItem) (Decision, *buffer) {
	t.Helper()
	echo := func(_ *replay.Context, in string) (string, error) { return in, nil }
	var log buffer
	turns := turnsOf(code{orchestrations: map[string]replay.Handler{"o": echo, "o@2.0.0": echo}}, slog.New(slog.NewTextHandler(&log, nil)))
	if change != nil {
		change(&turns)
	}
	if item.Instance == "" {
		item.Instance = "i"
	}
	if item.ExecutionID == 0 {
		item.ExecutionID = 1
	}
	if item.AttemptCount == 0 {
		item.AttemptCount = 1
	}
	item.LockToken = "token"
	d := turns.Decide(t.Context(), &item)
	if (d.Ack == nil) == (d.Abandon == nil) {
		t.Fatalf("decision %+v", d)
	}
	return d, &log
}

// stored is a history with ids from 1.
func stored(data ...core.EventData) []core.Event {
	var events []core.Event
	for i, d := range data {
		events = append(events, core.Event{ID: uint64(i + 1), InstanceID: "i", ExecutionID: 1, DuroxideVersion: "0.1.32", Data: d})
	}
	return events
}

var (
	begun     = core.OrchestrationStarted{Name: "o", Version: "1.0.0", Input: "in"}
	ended     = core.OrchestrationCompleted{Output: "out"}
	again     = core.OrchestrationContinuedAsNew{Input: "next"}
	endedBad  = core.OrchestrationFailed{Details: core.InfrastructureError{}}
	late      = core.ExternalRaisedItem{Instance: "i", Name: "e"}
	goOn      = core.ContinueAsNewItem{Instance: "i", Orchestration: "o", Input: "next"}
	startItem = core.StartOrchestrationItem{Instance: "i", Orchestration: "o", Input: "in", ExecutionID: 1}
)

// fromParent is a start that a parent sent.
func fromParent(parent string, id uint64, execution *uint64) core.StartOrchestrationItem {
	s := startItem
	s.ParentInstance, s.ParentID, s.ParentExecutionID = &parent, &id, execution
	return s
}

func TestDecideAbandons(t *testing.T) {
	old := stored(begun)
	old[0].DuroxideVersion = "0.1.33"
	odd := stored(begun)
	odd[0].DuroxideVersion = "odd"
	tests := map[string]struct {
		change func(*Turns)
		item   core.OrchestrationItem
		delay  time.Duration // negative: acknowledged
		free   bool          // the attempt is not counted
	}{
		"pinned above the supported range": {nil, core.OrchestrationItem{History: old, Messages: []core.WorkItem{late}}, time.Second, false},
		"pinned below the supported range": {
			func(t *Turns) { t.Supported.Min = core.MustParseVersion("0.1.33") },
			core.OrchestrationItem{History: stored(begun), Messages: []core.WorkItem{late}}, time.Second, false,
		},
		"a stamp that cannot be read is taken": {nil, core.OrchestrationItem{History: odd, Messages: []core.WorkItem{late}}, -1, false},
		"history that cannot be decoded":       {nil, core.OrchestrationItem{HistoryError: "bad row", Messages: []core.WorkItem{late}}, time.Second, false},
		"waits for its successor":              {nil, core.OrchestrationItem{History: stored(begun, again), Messages: []core.WorkItem{late}, AttemptCount: 2}, 2 * time.Second, false},
		"waits, though all is for who is over": {nil, core.OrchestrationItem{History: stored(begun, again), Messages: []core.WorkItem{core.TimerFiredItem{Instance: "i", ExecutionID: 1, ID: 9}}}, time.Second, false},
		"the successor is there":               {nil, core.OrchestrationItem{History: stored(begun, again), Messages: []core.WorkItem{late, goOn}}, -1, false},
		"failed after continuing, as once was": {nil, core.OrchestrationItem{History: stored(begun, again, endedBad), Messages: []core.WorkItem{late}}, -1, false},
		"name not registered":                  {nil, core.OrchestrationItem{Messages: []core.WorkItem{core.StartOrchestrationItem{Instance: "i", Orchestration: "p"}}, AttemptCount: 3}, 3 * time.Second, false},
		"version not registered":               {nil, core.OrchestrationItem{Messages: []core.WorkItem{core.StartOrchestrationItem{Instance: "i", Orchestration: "o", Version: new("3.0.0")}}}, time.Second, false},
		"recorded version not registered":      {nil, core.OrchestrationItem{History: stored(core.OrchestrationStarted{Name: "o", Version: "3.0.0"}), Messages: []core.WorkItem{late}}, time.Second, false},
		"successor's version not registered":   {nil, core.OrchestrationItem{History: stored(begun, again), Messages: []core.WorkItem{core.ContinueAsNewItem{Orchestration: "o", Version: new("9.0.0")}}}, time.Second, false},
		"nondeterminism of the walk, parked":   {func(t *Turns) { t.FailNondeterminism = false; t.Registry = waits }, core.OrchestrationItem{History: stored(begun, core.TimerCreated{}), Messages: []core.WorkItem{late}}, 30 * time.Second, true},
		"nondeterminism of the walk, failing":  {func(t *Turns) { t.Registry = waits }, core.OrchestrationItem{History: stored(begun, core.TimerCreated{}), Messages: []core.WorkItem{late}}, -1, false},
		"version 0.0.0 means by policy":        {nil, core.OrchestrationItem{Messages: []core.WorkItem{core.StartOrchestrationItem{Instance: "i", Orchestration: "o", Version: new("0.0.0")}}}, -1, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, log := decide(t, tt.change, tt.item)
			warned := 0
			if strings.HasPrefix(name, "pinned ") {
				warned = 1
			}
			if n := log.holds("pinned at an incompatible version"); n != warned {
				t.Errorf("%d warnings of an incompatible version, want %d", n, warned)
			}
			if tt.delay < 0 {
				if d.Abandon != nil {
					t.Errorf("abandoned: %+v", d.Abandon)
				}
				return
			}
			want := &core.AbandonParams{LockToken: "token", Delay: tt.delay, IgnoreAttempt: tt.free}
			if strings.HasSuffix(name, " not registered") {
				want.StayAway = 2 * time.Second
			}
			if diff := cmp.Diff(want, d.Abandon); diff != "" {
				t.Errorf("abandon (-want +got):\n%s", diff)
			}
		})
	}
}

// waits asks for an event, which no history here records.
var waits = code{orchestrations: map[string]replay.Handler{"o": func(c *replay.Context, _ string) (string, error) {
	f := c.Wait("e")
	c.Block(f.Ready)
	return "", nil
}}}

func TestDecideConsumes(t *testing.T) {
	tests := map[string]core.OrchestrationItem{
		"completed":                  {History: stored(begun, ended), Messages: []core.WorkItem{late, core.CancelInstanceItem{Instance: "i"}}},
		"failed":                     {History: stored(begun, endedBad), Messages: []core.WorkItem{late}},
		"failed after continuing":    {History: stored(begun, again, endedBad), Messages: []core.WorkItem{late}},
		"a late start of a client":   {History: stored(begun, ended), Messages: []core.WorkItem{startItem}},
		"a successor of what failed": {History: stored(begun, endedBad), Messages: []core.WorkItem{goOn}},
		"messages without a start":   {Messages: []core.WorkItem{late, core.CancelInstanceItem{Instance: "i"}}},
	}
	for name, item := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := decide(t, nil, item)
			ack := d.Ack
			if ack == nil || len(ack.HistoryDelta)+len(ack.OrchestratorItems) > 0 || ack.Metadata != (core.ExecutionMetadata{}) {
				t.Errorf("decision %+v", d)
			}
		})
	}
}

func TestDecideStarts(t *testing.T) {
	tests := map[string]struct {
		item      core.OrchestrationItem
		execution uint64
		started   core.OrchestrationStarted
	}{
		"a client": {core.OrchestrationItem{Messages: []core.WorkItem{startItem}}, 1, begun},
		"the first start counts": {core.OrchestrationItem{Messages: []core.WorkItem{
			startItem, core.StartOrchestrationItem{Instance: "i", Orchestration: "o", Input: "second"},
		}}, 1, begun},
		"an exact version": {
			core.OrchestrationItem{Messages: []core.WorkItem{core.StartOrchestrationItem{Instance: "i", Orchestration: "o", Version: new("2.0.0")}}}, 1,
			core.OrchestrationStarted{Name: "o", Version: "2.0.0"},
		},
		"a successor": {
			core.OrchestrationItem{ExecutionID: 4, History: stored(begun, again), Messages: []core.WorkItem{core.ContinueAsNewItem{
				Instance: "i", Orchestration: "o", Input: "next", ParentInstance: new("p"), ParentID: new(uint64(3)), ParentExecutionID: new(uint64(2)),
				CarryForwardEvents: []core.QueueEvent{{Name: "q", Data: "m"}}, InitialCustomStatus: new("st"),
			}}}, 5,
			core.OrchestrationStarted{
				Name: "o", Version: "1.0.0", Input: "next", ParentInstance: new("p"), ParentID: new(uint64(3)), ParentExecutionID: new(uint64(2)),
				CarryForwardEvents: []core.QueueEvent{{Name: "q", Data: "m"}}, InitialCustomStatus: new("st"),
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := decide(t, nil, tt.item)
			if d.Ack == nil || d.Ack.ExecutionID != tt.execution || d.Result != replay.Completed {
				t.Fatalf("decision %+v", d)
			}
			if diff := cmp.Diff(tt.started, d.Ack.HistoryDelta[0].Data); diff != "" {
				t.Errorf("start (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecideGoesOn: without a start in the batch, what the code is and what it is
// told come from the history.
func TestDecideGoesOn(t *testing.T) {
	describe := func(version string) replay.Handler {
		return func(c *replay.Context, in string) (string, error) {
			f := c.Wait("e")
			c.Block(f.Ready)
			parent := "nobody"
			if p := c.ParentInstance(); p != nil {
				parent = *p
			}
			return fmt.Sprint(version, " ", c.Version(), " ", c.Name(), " of ", parent, ", execution ", c.Execution(), ", ", in), nil
		}
	}
	both := code{orchestrations: map[string]replay.Handler{"o": describe("1.0.0"), "o@2.0.0": describe("2.0.0")}}
	parent, parentID := "p", uint64(3)
	tests := map[string]struct {
		started   core.OrchestrationStarted
		execution uint64
		want      string
	}{
		"with its version":      {core.OrchestrationStarted{Name: "o", Version: "2.0.0", Input: "in"}, 1, "2.0.0 2.0.0 o of nobody, execution 1, in"},
		"with an older version": {core.OrchestrationStarted{Name: "o", Version: "1.0.0", Input: "in"}, 1, "1.0.0 1.0.0 o of nobody, execution 1, in"},
		"in a later execution":  {core.OrchestrationStarted{Name: "o", Version: "2.0.0", Input: "fourth"}, 4, "2.0.0 2.0.0 o of nobody, execution 4, fourth"},
		"with its parent":       {core.OrchestrationStarted{Name: "o", Version: "2.0.0", Input: "in", ParentInstance: &parent, ParentID: &parentID}, 1, "2.0.0 2.0.0 o of p, execution 1, in"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			history := stored(tt.started, core.ExternalSubscribed{Name: "e"})
			for i := range history {
				history[i].ExecutionID = tt.execution
			}
			item := core.OrchestrationItem{ExecutionID: tt.execution, OrchestrationName: "o", Version: "1.0.0", History: history, Messages: []core.WorkItem{late}}
			d, _ := decide(t, func(turns *Turns) { turns.Registry = both }, item)
			if d.Ack == nil || d.Ack.ExecutionID != tt.execution || d.Result != replay.Completed || *d.Ack.Metadata.Output != tt.want {
				t.Fatalf("decision %+v, output %v, want %q", d, d.Ack.Metadata.Output, tt.want)
			}
			if tt.started.ParentInstance != nil {
				notice := core.SubOrchCompletedItem{ParentInstance: "p", ParentExecutionID: 7, ParentID: 3, Result: tt.want}
				if diff := cmp.Diff([]core.WorkItem{notice}, d.Ack.OrchestratorItems); diff != "" {
					t.Errorf("items (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestCarriedMessagesComeFirst: before those of the same batch.
func TestCarriedMessagesComeFirst(t *testing.T) {
	t.Parallel()
	next := goOn
	next.CarryForwardEvents = []core.QueueEvent{{Name: "q", Data: "old"}}
	b := readBatch(&core.OrchestrationItem{Instance: "i", History: stored(begun, again), Messages: []core.WorkItem{
		core.QueueMessageItem{Instance: "i", Name: "q", Data: "new"}, next,
	}})
	want := []core.WorkItem{core.QueueMessageItem{Instance: "i", Name: "q", Data: "old"}, core.QueueMessageItem{Instance: "i", Name: "q", Data: "new"}}
	if diff := cmp.Diff(want, b.messages); diff != "" {
		t.Error(diff)
	}
}

func TestCollisions(t *testing.T) {
	execution := uint64(2)
	notice := func(parent string, execution, id uint64, text string) []core.WorkItem {
		return []core.WorkItem{core.SubOrchFailedItem{
			ParentInstance: parent, ParentExecutionID: execution, ParentID: id,
			Details: core.ApplicationError{Kind: core.KindOrchestrationFailed, Message: "sub-orchestration instance id 'i' already exists" + text},
		}}
	}
	child := begun
	child.ParentInstance, child.ParentID, child.ParentExecutionID = new("p"), new(uint64(5)), &execution
	unstamped := child
	unstamped.ParentExecutionID = nil
	tests := map[string]struct {
		history []core.Event
		starts  []core.WorkItem
		want    []core.WorkItem
	}{
		"a running root":                          {stored(begun, core.TimerCreated{}), []core.WorkItem{fromParent("p", 5, &execution)}, notice("p", 2, 5, "")},
		"an ended root":                           {stored(begun, ended), []core.WorkItem{fromParent("p", 5, &execution)}, notice("p", 2, 5, " and is terminal")},
		"a child of the same call":                {stored(child, core.TimerCreated{}), []core.WorkItem{fromParent("p", 5, &execution)}, nil},
		"the same call, but it has ended":         {stored(child, ended), []core.WorkItem{fromParent("p", 5, &execution)}, notice("p", 2, 5, " and is terminal")},
		"another call of the same parent":         {stored(child, core.TimerCreated{}), []core.WorkItem{fromParent("p", 6, &execution)}, notice("p", 2, 6, "")},
		"the same call of another execution":      {stored(child, core.TimerCreated{}), []core.WorkItem{fromParent("p", 5, new(uint64(3)))}, notice("p", 3, 5, "")},
		"another parent":                          {stored(child, core.TimerCreated{}), []core.WorkItem{fromParent("q", 5, &execution)}, notice("q", 2, 5, "")},
		"both without an execution":               {stored(unstamped, core.TimerCreated{}), []core.WorkItem{fromParent("p", 5, nil)}, nil},
		"one without: its execution is looked up": {stored(child, core.TimerCreated{}), []core.WorkItem{fromParent("p", 5, nil)}, notice("p", 7, 5, "")},
		"a start of a client tells nobody":        {stored(begun, ended), []core.WorkItem{startItem}, nil},
		"two parents at once: the first has it":   {nil, []core.WorkItem{fromParent("p", 5, &execution), fromParent("q", 6, &execution)}, notice("q", 2, 6, "")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := decide(t, func(turns *Turns) { turns.Registry = idle }, core.OrchestrationItem{History: tt.history, Messages: tt.starts})
			if d.Ack == nil {
				t.Fatalf("decision %+v", d)
			}
			if diff := cmp.Diff(tt.want, d.Notices); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
			if n := len(tt.want); n > 0 {
				items := d.Ack.OrchestratorItems
				if diff := cmp.Diff(tt.want, items[len(items)-n:]); diff != "" {
					t.Errorf("they come last in the acknowledgement (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// idle waits for a timer.
var idle = code{orchestrations: map[string]replay.Handler{"o": func(c *replay.Context, _ string) (string, error) {
	f := c.Timer(time.Hour)
	c.Block(f.Ready)
	return "", nil
}}}
