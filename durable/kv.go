package durable

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/duroxide/duroxide-go/core"
)

// KVSet stores a value under a key of this instance. Clients can read it while
// the orchestration runs and after it ended, and it survives a continue-as-new.
// Values are plain JSON. An instance holds at most [core.MaxKVKeys] keys of at
// most [core.MaxKVValueBytes] bytes each; more fails the orchestration.
func KVSet[T any](ctx *Context, key string, value T) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("key %q: encode: %w", key, err)
	}
	ctx.engine.KVSet(key, string(b))
	return nil
}

// KVGet returns the value of a key of this instance; ok is false when there is
// none.
func KVGet[T any](ctx *Context, key string) (value T, ok bool, err error) {
	text, ok := ctx.engine.KVGet(key)
	if !ok {
		return value, false, nil
	}
	value, err = decodeKV[T](key, text)
	return value, err == nil, err
}

// KVGetFrom returns the value of a key of another instance, recorded as an
// activity; ok is false when there is none. It sees what the other one's last turn
// stored.
func KVGetFrom[T any](ctx *Context, instanceID, key string) (value T, ok bool, err error) {
	text, err := ctx.KVFrom(instanceID, key)
	if err != nil || text == nil {
		return value, false, err
	}
	value, err = decodeKV[T](key, *text)
	return value, err == nil, err
}

// KVRead returns the value of a key of an instance to a client; ok is false when
// there is none.
func KVRead[T any](ctx context.Context, c *Client, id, key string) (value T, ok bool, err error) {
	text, err := c.KVGetRaw(ctx, id, key)
	if err != nil || text == nil {
		return value, false, err
	}
	value, err = decodeKV[T](key, *text)
	return value, err == nil, err
}

func decodeKV[T any](key, text string) (T, error) {
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, fmt.Errorf("KV deserialization error for key '%s': %w", key, err)
	}
	return v, nil
}

// KVSetRaw stores text as it is.
func (c *Context) KVSetRaw(key, text string) { c.engine.KVSet(key, text) }

// KVGetRaw returns the stored text of a key; ok is false when there is none.
func (c *Context) KVGetRaw(key string) (text string, ok bool) { return c.engine.KVGet(key) }

// KVKeys returns the keys of this instance, sorted.
func (c *Context) KVKeys() []string { return c.engine.KVKeys() }

// KVClear removes a key.
func (c *Context) KVClear(key string) { c.engine.KVClear(key) }

// KVClearAll removes all keys.
func (c *Context) KVClearAll() { c.engine.KVClearAll() }

// KVPrune removes the keys that were last set before the cutoff and returns how
// many.
func (c *Context) KVPrune(before time.Time) int {
	return c.engine.KVPrune(core.Milliseconds(before))
}

type kvRead struct {
	InstanceID string `json:"instance_id"`
	Key        string `json:"key"`
}

// KVFrom reads the stored text of a key of another instance, recorded as an
// activity; nil when there is none. [KVGetFrom] decodes it.
func (c *Context) KVFrom(instanceID, key string) (*string, error) {
	return kvReadActivity.Call(c, kvRead{InstanceID: instanceID, Key: key})
}
