package durabletest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/durable/internal/recording"
	"github.com/duroxide/duroxide-go/durable/internal/replay"
)

// FileSuffix ends the names of the files that are read from a directory.
const FileSuffix = ".jsonl"

// CheckOptions change how recorded histories are compared. The zero value is
// the default.
type CheckOptions struct {
	// StrictInputs makes an input, a value or an outcome that differs from the
	// recorded one a difference, as [durable.Options.StrictInputs] does. By
	// default it is a note. Redacted payloads are never compared.
	StrictInputs bool
	// Exact makes it a difference when the code asks for more than is recorded
	// at the end of a running execution. By default it is a note, since a
	// runtime goes on from there.
	Exact bool
}

// Report is what [Check] found.
type Report struct {
	// Executions and Turns are how many were replayed.
	Executions, Turns int
	// Differences are what would break instances, the first of each execution.
	Differences []Difference
	// Notes are what differs and does no harm.
	Notes []string
}

// Difference is where the code does not repeat what a history records.
type Difference struct {
	// File is where the history comes from.
	File string
	// InstanceID, ExecutionID, Orchestration and Version are what is recorded.
	InstanceID    string
	ExecutionID   uint64
	Orchestration string
	Version       string
	// Turn counts the turns of the execution, from 1. EventID is the recorded
	// event in whose place the code did something else. Both are 0 when no turn
	// could be run.
	Turn    int
	EventID uint64
	// Recorded and Got put into words what is recorded and what the code did.
	// Recorded is empty when no turn could be run.
	Recorded, Got string
	// Site is the file and line at which the code did it; empty if unknown.
	Site string
}

// String returns the difference on three lines, or on two when no turn could be
// run.
func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: instance %s, execution %d of %s %s", d.File, d.InstanceID, d.ExecutionID, d.Orchestration, d.Version)
	if d.Recorded != "" {
		fmt.Fprintf(&b, ": turn %d, event %d\n    recorded: %s", d.Turn, d.EventID, d.Recorded)
	}
	fmt.Fprintf(&b, "\n    the code: %s", d.Got)
	if d.Site != "" {
		fmt.Fprintf(&b, ", at %s", shortPath(d.Site))
	}
	return b.String()
}

// shortPath makes the path of a site relative if it is below the working
// directory.
func shortPath(site string) string {
	wd, err := os.Getwd()
	if err != nil {
		return site
	}
	rel, err := filepath.Rel(wd, site)
	if err != nil || strings.HasPrefix(rel, "..") {
		return site
	}
	return rel
}

// Check replays recorded histories, turn by turn, with the code of the registry
// and compares what it asks for with what is recorded. Each path is a file, or a
// directory whose files with [FileSuffix] are read, below it too. Nil options
// are the defaults.
//
// The error is about the files: one that is missing, that does not fit the
// format, or a directory without any.
func Check(reg *durable.Registry, o *CheckOptions, paths ...string) (*Report, error) {
	if reg == nil {
		return nil, errors.New("durabletest: Check needs a registry")
	}
	if o == nil {
		o = &CheckOptions{}
	}
	files, err := findFiles(paths)
	if err != nil {
		return nil, err
	}
	report := &Report{}
	for _, file := range files {
		executions, err := readFile(file)
		if err != nil {
			return nil, err
		}
		for _, e := range executions {
			check(report, reg, o, false, file, e)
		}
	}
	return report, nil
}

// findFiles returns the files that paths stand for.
func findFiles(paths []string) ([]string, error) {
	if len(paths) == 0 {
		return nil, errors.New("durabletest: no histories are named")
	}
	var files []string
	for _, path := range paths {
		before := len(files)
		err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (file == path || strings.HasSuffix(file, FileSuffix)) {
				files = append(files, file)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("durabletest: histories: %w", err)
		}
		if len(files) == before {
			return nil, fmt.Errorf("durabletest: no file in %s ends in %s", path, FileSuffix)
		}
	}
	return files, nil
}

func readFile(file string) ([]recording.Execution, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("durabletest: histories: %w", err)
	}
	executions, err := recording.Read(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("durabletest: %s: %w", file, err)
	}
	return executions, nil
}

// checker compares what the code of one execution does with what is recorded.
type checker struct {
	report *Report
	o      *CheckOptions
	file   string
	e      recording.Execution
	// sites are where the code asked for recorded events, by event id.
	sites map[uint64]string
	// payloadNoted and furtherNoted say that there is a note of the kind, which
	// is enough of it.
	payloadNoted, furtherNoted bool
}

// check replays one execution. Cold replays run the code from its beginning for
// each turn.
func check(report *Report, reg *durable.Registry, o *CheckOptions, cold bool, file string, e recording.Execution) {
	c := &checker{report: report, o: o, file: file, e: e, sites: map[uint64]string{}}
	report.Executions++
	started := e.Started()
	version := &started.Version
	if *version == core.ExecutionVersionUnset {
		version = nil
	}
	code, _, ok := reg.ResolveOrchestration(started.Name, version)
	if !ok {
		got := "no orchestration of that name is registered"
		if versions := reg.Versions(started.Name); len(versions) > 0 {
			got = "that version is not registered, there is " + strings.Join(versions, ", ")
		}
		c.differ(0, 0, "", got, "")
		return
	}
	turns := splitTurns(e.Events)
	tail := tail(e.Events, turns)
	p := &player{e: &e, code: code, cold: cold}
	defer p.close()
	for i, t := range turns {
		if t.endedByRuntime() {
			return
		}
		report.Turns++
		if !c.turn(i+1, t, i >= tail, p) {
			return
		}
	}
	// What was kept suspended has to repeat itself too.
	if n := len(turns); n > 1 && !cold {
		p.close()
		c.repeats(n, p.play(turns[n-1].before))
	}
}

// turn is one turn of a history: what had happened before the code ran, and
// what the code did.
type turn struct {
	before []core.Event // the history so far, with what arrived for this turn
	did    []core.Event
	next   *core.Event // what is recorded after it, nil for nothing
}

// splitTurns finds the turns. Where one ends is not recorded: a turn in which
// the code did nothing is joined with the next one, which is the same to it.
func splitTurns(events []core.Event) []turn {
	var turns []turn
	for i := 0; i < len(events); {
		for i < len(events) && !isDeed(events[i].Data) {
			i++
		}
		t := turn{before: events[:i]}
		for i < len(events) && isDeed(events[i].Data) {
			t.did = append(t.did, events[i])
			i++
		}
		if i < len(events) {
			t.next = &events[i]
		}
		turns = append(turns, t)
	}
	return turns
}

// isDeed reports whether the code causes an event of this type; the others
// arrive.
func isDeed(data core.EventData) bool {
	switch data.(type) {
	case core.OrchestrationStarted, core.OrchestrationCancelRequested,
		core.ActivityCompleted, core.ActivityFailed, core.TimerFired,
		core.SubOrchestrationCompleted, core.SubOrchestrationFailed,
		core.ExternalEvent, core.QueueEventDelivered:
		return false
	}
	return true
}

// endedByRuntime reports whether the turn ends with a failure that no code
// caused, such as poison.
func (t turn) endedByRuntime() bool {
	for _, ev := range t.did {
		if f, ok := ev.Data.(core.OrchestrationFailed); ok {
			_, application := f.Details.(core.ApplicationError)
			return !application
		}
	}
	return false
}

// tail returns the first turn after which nothing is recorded that the code did;
// past all turns when the execution has ended.
func tail(events []core.Event, turns []turn) int {
	if slices.ContainsFunc(events, core.Event.IsTerminal) {
		return len(turns)
	}
	last := len(turns) - 1
	if last > 0 && len(turns[last].did) == 0 {
		last--
	}
	return last
}

// turn replays one turn and reports whether it is as recorded.
func (c *checker) turn(n int, t turn, tail bool, p *player) bool {
	out := p.play(t.before)
	if !c.repeats(n, out) {
		return false
	}
	want, got := deeds(t.did), deeds(out.Delta)
	for i, w := range want {
		if i == len(got) {
			c.differ(n, w.ID, c.describe(w), c.stopped(t.before, got), "")
			return false
		}
		if !c.compare(n, w, got[i], out) {
			return false
		}
		c.sites[w.ID] = out.Sites[got[i].ID]
	}
	p.recorded(t)
	return c.more(n, t, tail, got[len(want):], out)
}

// repeats reports whether the code asked again for what it asked for in earlier
// turns.
func (c *checker) repeats(n int, out replay.Output) bool {
	nd := out.Nondeterminism
	if nd == nil {
		return true
	}
	c.differ(n, nd.EventID, "what the code itself asked for in an earlier turn",
		"does not repeat itself: "+nd.Message+"; does it look at a clock, at random numbers or at the order of a map?", nd.Site)
	return false
}

// deeds leaves out what merely follows from an end.
func deeds(events []core.Event) []core.Event {
	return slices.DeleteFunc(slices.Clone(events), func(ev core.Event) bool { return replay.IsConsequence(ev.Data) })
}

// compare compares one event of the turn. It reports whether the code may do
// what it did.
func (c *checker) compare(n int, want, got core.Event, out replay.Output) bool {
	same, payload := replay.Compare(want.Data, got.Data)
	same = same && (want.SourceID == nil) == (got.SourceID == nil) && (want.SourceID == nil || *want.SourceID == *got.SourceID)
	switch {
	case same:
		return true
	case !payload:
		c.differ(n, want.ID, c.describe(want), c.did(got), site(got, out))
		return false
	case c.e.Redacted:
		return true
	case c.o.StrictInputs:
		c.differ(n, want.ID, c.describe(want)+" with "+quote(want), "with "+quote(got), site(got, out))
		return false
	}
	if !c.payloadNoted {
		c.payloadNoted = true
		c.note("event %d, %s: recorded with %s, the code has %s: history wins; further ones are not shown",
			want.ID, c.describe(want), quote(want), quote(got))
	}
	return true
}

func quote(ev core.Event) string { return fmt.Sprintf("%q", shorten(payload(ev.Data))) }

// more deals with what the code did beyond what is recorded of the turn.
func (c *checker) more(n int, t turn, tail bool, extra []core.Event, out replay.Output) bool {
	if len(extra) == 0 {
		return true
	}
	ends := slices.IndexFunc(extra, core.Event.IsTerminal)
	if tail && ends < 0 && !c.o.Exact {
		if !c.furtherNoted {
			c.furtherNoted = true
			c.note("the code goes further than the history: %s", c.did(extra[0]))
		}
		return true
	}
	first, id, recorded := extra[0], t.before[len(t.before)-1].ID, "nothing more"
	if len(t.did) > 0 {
		id = t.did[len(t.did)-1].ID
	}
	switch {
	case t.next != nil:
		id = t.next.ID
		recorded = "nothing more before " + t.next.Data.EventType()
	case tail:
		if ends >= 0 {
			first = extra[ends]
		}
		recorded = "still running, waiting for " + c.waits(c.e.Events)
	}
	c.differ(n, id, recorded, c.did(first), site(first, out))
	return false
}

// stopped says that the code asked for nothing more.
func (c *checker) stopped(before, got []core.Event) string {
	return "nothing more, it waits for " + c.waits(slices.Concat(before, got))
}

// waits says what the code waits for after some events.
func (c *checker) waits(events []core.Event) string {
	var names []string
	for _, ev := range History(events).Open() {
		names = append(names, fmt.Sprintf("%s (event %d)", c.describe(ev), ev.ID))
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " or ")
}

// did says what the code did. An end has no place in the source, so that it
// says after what it came.
func (c *checker) did(ev core.Event) string {
	s := c.describe(ev)
	if !ev.IsTerminal() {
		return s
	}
	for _, last := range slices.Backward(c.e.Events) {
		if site := c.sites[last.ID]; site != "" {
			return fmt.Sprintf("%s, after %s (event %d, at %s)", s, c.describe(last), last.ID, shortPath(site))
		}
	}
	return s + ", before it asked for anything"
}

// site is where the code did it.
func site(ev core.Event, out replay.Output) string {
	if ev.IsTerminal() && out.PanicStack != "" {
		return replay.PanicSite(out.PanicStack)
	}
	return out.Sites[ev.ID]
}

// describe names what an event is about, that of a given up one too.
func (c *checker) describe(ev core.Event) string {
	s := replay.Describe(ev.Data)
	if ev.SourceID == nil {
		return s
	}
	for _, source := range c.e.Events {
		if source.ID == *ev.SourceID {
			return fmt.Sprintf("%s %s (event %d)", s, replay.Describe(source.Data), source.ID)
		}
	}
	return s
}

func (c *checker) differ(turn int, event uint64, recorded, got, site string) {
	started := c.e.Started()
	c.report.Differences = append(c.report.Differences, Difference{
		File: c.file, InstanceID: c.e.Instance, ExecutionID: c.e.ID, Orchestration: started.Name, Version: started.Version,
		Turn: turn, EventID: event, Recorded: recorded, Got: got, Site: site,
	})
}

func (c *checker) note(format string, args ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf("%s: instance %s, execution %d: ", c.file, c.e.Instance, c.e.ID)+fmt.Sprintf(format, args...))
}
