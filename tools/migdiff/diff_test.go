package main

import (
	"slices"
	"strings"
	"testing"
)

func TestUnified(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ old, now, want string }{
		"equal": {"a\n", "a\n", ""},
		"SQL comments are no headers": {
			"-- a\n-- b\nc\n", "++ a\n-- b\nc\n",
			"@@ -1,3 +1,3 @@\n--- a\n+++ a\n -- b\n c\n",
		},
		"from nothing":  {"", "a\n", "@@ -0,0 +1,1 @@\n+a\n"},
		"no last lines": {"a", "b", "@@ -1,1 +1,1 @@\n-a\n+b\n"},
	} {
		if got := unified(test.old, test.now); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

func TestUnifiedIgnoringIndent(t *testing.T) {
	t.Parallel()
	old := "a\nb\n  c\nd\ne\n\nf\n"
	now := "a\nLOOP\n    b\n      c\n    d\n    e\nEND\n\nf\n"
	want := "@@ -1,7 +1,9 @@\n a\n+LOOP\n     b\n       c\n     d\n     e\n+END\n \n f\n"
	if got := unifiedIgnoringIndent(old, now); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Every change of a function has its form.
func TestFunctions(t *testing.T) {
	t.Parallel()
	f := func(name, args, result, body string) string {
		return "CREATE OR REPLACE FUNCTION " + name + "(" + args + ") RETURNS " + result + " LANGUAGE plpgsql AS $$\n" + body + "\n$$;\n"
	}
	steps := madeUp(t,
		f("body", "a int", "int", "old")+f("args", "a int", "int", "x")+f("defaults", "a int", "int", "x")+f("fewer", "a int DEFAULT 1", "int", "x")+
			f("result", "", "int", "x")+f("gone", "a int", "int", "x")+f("again", "", "int", "x")+f("same", "", "int", "x")+f("renamed", "a int", "int", "x"),
		f("new", "", "int", "```"),
		"DROP FUNCTION args(int), result(), gone, again(); DROP FUNCTION nothing(); DROP FUNCTION renamed;"+
			f("body", "a int", "int", "new")+f("args", "a int, b text", "int", "x")+f("defaults", "a int DEFAULT 1", "int", "x")+f("fewer", "a int", "int", "x")+
			f("result", "", "bigint", "x")+f("again", "", "int", "x")+f("same", "", "int", "x")+f("renamed", "b int", "int", "x"),
		f("body", "a int", "int", "newer"),
		"ALTER FUNCTION body SET jit = off;",
		"ALTER FUNCTION body(int) RESET ALL;"+f("args", "a int, b text", "int", "y"),
		f("body", "a int", "int", "newer"))

	text := render(steps[1], nil, nil)
	if want := "### `new` — new function\n\n````sql\nCREATE OR REPLACE FUNCTION new() RETURNS int LANGUAGE plpgsql AS $$\n```\n$$\n````\n"; !strings.Contains(text, want) {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if strings.Contains(text, "## Warning") {
		t.Errorf("a new function warns:\n%s", text)
	}

	text = render(steps[2], nil, nil)
	for _, want := range []string{
		"### `again` — dropped and created again without a change (baseline: 0001)\n",
		"### `args` — signature changed (baseline: 0001)\n\n```diff\n- args(a integer) RETURNS integer\n+ args(a integer, b text) RETURNS integer\n```\n",
		"### `body` — body modified (baseline: 0001)\n\n```diff\n@@ -1,3 +1,3 @@\n CREATE OR REPLACE FUNCTION body(a int) RETURNS int LANGUAGE plpgsql AS $$\n-old\n+new\n $$\n```\n",
		"### `gone` — removed (baseline: 0001)\n\n```diff\n- gone(a integer) RETURNS integer\n```\n",
		"* `again` is dropped and created again: grants on it are lost\n",
		"* `args` takes (integer, text) instead of (integer), and is dropped and created again: grants on it are lost\n",
		"* `gone` is removed\n", "* `fewer` has fewer defaults\n",
		"* `result` has another result, and is dropped and created again: grants on it are lost\n",
		"* `renamed` names its arguments otherwise, and is dropped and created again: grants on it are lost\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no\n%s\nin\n%s", want, text)
		}
	}
	for _, none := range []string{"`same`", "* `defaults`", "* `body`", "nothing"} {
		if strings.Contains(strings.ReplaceAll(text, "DROP FUNCTION nothing()", ""), none) {
			t.Errorf("%s is in\n%s", none, text)
		}
	}
	if text := render(steps[3], nil, nil); !strings.Contains(text, "### `body` — body modified (baseline: 0102)\n") {
		t.Errorf("the baseline is not the last one before:\n%s", text)
	}

	// A setting is a part of the function until it is stated again.
	for i, want := range map[int]string{
		4: "(baseline: 0103)\n\n```diff\n@@ -1,3 +1,5 @@\n CREATE OR REPLACE FUNCTION body(a int) RETURNS int LANGUAGE plpgsql AS $$\n newer\n" +
			"-$$\n+$$;\n+\n+ALTER FUNCTION body SET jit = off\n```\n",
		5: "(baseline: 0104)",
		6: "-ALTER FUNCTION body(int) RESET ALL\n",
	} {
		if text := render(steps[i], nil, nil); !strings.Contains(text, "### `body` — body modified ") || !strings.Contains(text, want) {
			t.Errorf("no\n%s\nin\n%s", want, text)
		}
	}
	key := overload{"body", "integer"}
	if got := steps[4].after[key].Settings; !slices.Equal(got, []string{"jit"}) {
		t.Errorf("settings are %q", got)
	}
	if got := steps[5].after[key].Settings; len(got) != 0 {
		t.Errorf("settings are %q after they were reset", got)
	}
}

func TestHistoryErrors(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"SELECT 1;\nALTER FUNCTION f() STABLE": "line 2: ALTER FUNCTION f: only SET and RESET",
		"ALTER FUNCTION f() SET jit = off":     "line 1: ALTER FUNCTION f(): no file makes it",
		"SELECT '":                             "line 1: the quote",
		"DO $$ BEGIN EXECUTE 'CREATE FUNCTION f() RETURNS int'; END $$": "no language",
		"DO $$ SELECT ' $$": "in the block",
	} {
		s := &step{text: sql, after: functions{}, before: functions{}, recreated: map[overload]bool{}}
		var err error
		if s.statements, err = split(sql); err == nil {
			err = s.follow()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", sql, err, want)
		}
	}
}

func TestFunctionSection(t *testing.T) {
	t.Parallel()
	text := "# x\n\n## Function Changes\n\n### `f`\n\n````sql\n```\n## not a heading\n````\n\n## Trigger Changes\n\nx\n"
	if got, want := functionSection(text), "\n### `f`\n\n````sql\n```\n## not a heading\n````\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := functionSection("# x\n"); got != "" {
		t.Errorf("got %q", got)
	}
}
