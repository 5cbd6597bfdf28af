// Package durable has the shapes of the real one that the analyser looks at.
package durable

import (
	"context"
	"log/slog"
	"time"
)

type Context struct{}

func (*Context) InstanceID() string                { return "" }
func (*Context) IsReplaying() bool                 { return false }
func (*Context) KVKeys() []string                  { return nil }
func (*Context) Logger() *slog.Logger              { return nil }
func (*Context) NewGUID() (string, error)          { return "", nil }
func (*Context) Now() time.Time                    { return time.Time{} }
func (*Context) SetStatus(string)                  {}
func (*Context) Sleep(time.Duration)               {}
func (*Context) Timer(time.Duration) *Future[bool] { return nil }

type Future[T any] struct{ value T }

func (f *Future[T]) Await(*Context) (T, error) { return f.value, nil }
func (f *Future[T]) Cancel()                   {}

type Awaitable interface{ Cancel() }

func Go[T any](ctx *Context, fn func(*Context) (T, error)) *Future[T] { return nil }
func Join[T any](ctx *Context, futures ...*Future[T]) []T             { return nil }
func JoinAll[T any](ctx *Context, futures ...*Future[T]) ([]T, error) { return nil, nil }
func KVSet[T any](ctx *Context, key string, value T) error            { return nil }
func Race(ctx *Context, futures ...Awaitable) int                     { return 0 }
func WaitEvent[T any](ctx *Context, name string) *Future[T]           { return nil }

type Registration struct{}

type Activity[In, Out any] string

func (Activity[In, Out]) With(func(context.Context, In) (Out, error)) Registration {
	return Registration{}
}
func (Activity[In, Out]) Call(*Context, In) (out Out, err error) { return out, err }
func (Activity[In, Out]) Schedule(*Context, In) *Future[Out]     { return nil }

type Orchestration[In, Out any] string

func (Orchestration[In, Out]) With(func(*Context, In) (Out, error)) Registration {
	return Registration{}
}
func (Orchestration[In, Out]) Start(context.Context, *Client, string, In) error { return nil }
func (Orchestration[In, Out]) StartDetached(*Context, string, In) error         { return nil }

type Client struct{}

func (*Client) RaiseEvent(ctx context.Context, id, name string, data any) error { return nil }
