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

// turn replays one turn and reports whether it is as recorded.
func (c *checker) turn(n int, t turn, tail bool, p *player) bool {
	out := p.play(t.before)
	if !c.repeats(n, out) {
		return false
	}
	want, got := deeds(t.did), deeds(out.Delta)
	for i, w := range want {
		if i == len(got) {
			c.differ(n, w.ID, c.describe(w), "nothing more"+c.open(slices.Concat(t.before, got)), "")
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
		recorded = "still running" + c.open(c.e.Events)
	}
	c.differ(n, id, recorded, c.did(first), site(first, out))
	return false
}

// open says what the code waits for after some events.
func (c *checker) open(events []core.Event) string {
	var names []string
	for _, ev := range History(events).Open() {
		names = append(names, fmt.Sprintf("%s (event %d)", c.describe(ev), ev.ID))
	}
	if len(names) == 0 {
		return ""
	}
	return ", open: " + strings.Join(names, ", ")
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
