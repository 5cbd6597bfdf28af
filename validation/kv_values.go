package validation

import (
	"strings"

	"github.com/duroxide/duroxide-go/core"
)

// The key-value cases within one execution.

func kvSetAndGet(t *trial) {
	r := t.kv("kv")
	r.do(set("counter", "42"))
	r.want("counter", "42")
}

func kvOverwrite(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "old"))
	r.do(set("k", "new"))
	r.want("k", "new")
	r.do(set("k", "not this"), set("k", "newest"))
	r.want("k", "newest")
}

func kvClearSingle(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "v"), set("other", "stays"))
	r.do(clearKey("k"))
	r.wantNone("k")
	r.want("other", "stays")
}

func kvClearAll(t *trial) {
	r := t.kv("kv")
	r.do(set("a", "1"), set("b", "2"))
	r.do(clearKeys())
	r.wantNone("a", "b")
}

func kvGetNonexistent(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "v"))
	r.wantNone("missing")
}

func kvSnapshotInFetch(t *trial) {
	r := t.kv("kv")
	r.do(set("x", "1"), set("y", "2"))
	r.complete()
	r.wantSnapshot("x", "1", "y", "2")
}

func kvSnapshotAfterClearSingle(t *trial) {
	r := t.kv("kv")
	r.do(set("x", "1"), set("y", "2"))
	r.do(clearKey("x"))
	r.complete()
	r.wantSnapshot("y", "2")
}

func kvSnapshotAfterClearAll(t *trial) {
	r := t.kv("kv")
	r.do(set("x", "1"), set("y", "2"))
	r.do(clearKeys())
	r.wantSnapshot()
}

func kvInstanceIsolation(t *trial) {
	a, b := t.kv("A"), t.kv("B")
	a.do(set("k", "of A"))
	b.do(set("k", "of B"))
	a.want("k", "of A")
	b.want("k", "of B")
}

func kvClearNonexistentKey(t *trial) {
	r := t.kv("kv")
	r.do(clearKey("missing"))
	r.wantNone("missing")
	r.complete()
	r.wantNone("missing")
}

func kvGetUnknownInstance(t *trial) {
	if v := t.value("no-such-instance", "k"); v != nil {
		t.fatalf("a key of an unknown instance has the value %q", *v)
	}
}

func kvSetAfterClear(t *trial) {
	r := t.kv("kv")
	r.do(set("a", "1"), set("b", "2"))
	r.do(clearKeys(), set("b", "again"), set("c", "3"))
	r.wantNone("a")
	r.want("b", "again")
	r.want("c", "3")
}

func kvEmptyValue(t *trial) {
	r := t.kv("kv")
	r.do(set("k", ""))
	r.want("k", "")
	r.complete()
	r.want("k", "")
}

func kvLargeValue(t *trial) {
	value := strings.Repeat("0123456789abcdef", 1024)
	r := t.kv("kv")
	r.do(set("k", value))
	r.want("k", value)
}

func kvSpecialCharsInKey(t *trial) {
	r := t.kv("kv")
	keys := []string{"with space", "日本語", "a.b.c", "path/to/key", "🔑", `quote"and\backslash`, "%_'"}
	var data []core.EventData
	for _, key := range keys {
		data = append(data, set(key, "value of "+key))
	}
	r.do(data...)
	for _, key := range keys {
		r.want(key, "value of "+key)
	}
}

func kvSnapshotEmpty(t *trial) {
	t.kv("kv").wantSnapshot()
}

func kvClearIsolation(t *trial) {
	a, b := t.kv("A"), t.kv("B")
	a.do(set("k", "of A"))
	b.do(set("k", "of B"))
	a.do(clearKeys())
	a.wantNone("k")
	b.want("k", "of B")
}

func kvDeleteInstanceCascades(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "v"))
	r.complete()
	t.deleteInstance("kv", false)
	r.wantNone("k")
}

func kvDeleteInstanceWithChildren(t *trial) {
	parent := t.kv("parent")
	t.createChild("child", "parent", ack{})
	child := &kvRun{t, "child", 1, 2}
	parent.do(set("k", "of the parent"))
	child.do(set("k", "of the child"))
	child.complete()
	parent.complete()
	t.deleteInstance("parent", false)
	parent.wantNone("k")
	child.wantNone("k")
}

func kvDeltaDeleteInstanceCascades(t *trial) {
	r := t.kv("kv")
	r.do(set("k", "v"))
	r.want("k", "v")
	t.deleteInstance("kv", true)
	r.wantNone("k")
}
