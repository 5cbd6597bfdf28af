package pgprovider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/duroxide/duroxide-go/core"
)

func TestClassifyStates(t *testing.T) {
	t.Parallel()
	raise := func(message string) *pgconn.PgError { return &pgconn.PgError{Code: "P0001", Message: message} }
	state := func(code string) *pgconn.PgError { return &pgconn.PgError{Code: code, Message: "m", Detail: "secret"} }
	for _, tt := range []struct {
		name      string
		err       error
		retryable bool
		sentinel  error
		text      string
	}{
		{"deadlock", state("40P01"), true, nil, "op: Deadlock detected: m (SQLSTATE 40P01)"},
		{"cached plan", state("0A000"), true, nil, "op: Cached plan invalidated: m (SQLSTATE 0A000)"},
		{"unknown statement", state("26000"), true, nil, "Cached plan invalidated"},
		{"duplicate statement", state("42P05"), true, nil, "Cached plan invalidated"},
		{"admin shutdown", state("57P01"), true, nil, "Server unavailable"},
		{"crash shutdown", state("57P02"), true, nil, "Server unavailable"},
		{"starting", state("57P03"), true, nil, "Server unavailable"},
		{"statement time-out", state("57014"), true, nil, "Query canceled"},
		{"connection exception", state("08006"), true, nil, "Connection error"},
		{"protocol violation", state("08P01"), true, nil, "Connection error"},
		{"too many connections", state("53300"), true, nil, "out of resources"},
		{"lock not available", state("55P03"), true, nil, "Lock not available"},
		{"read-only", state("25006"), true, nil, "read-only"},
		{"serialization failure", state("40001"), false, nil, "Serialization failure"},
		{"unique violation", state("23505"), false, nil, "Duplicate detected"},
		{"foreign key", state("23503"), false, nil, "Foreign key violation"},
		{"password", state("28P01"), false, nil, "op: Database error: m (SQLSTATE 28P01)"},
		{"authorization", state("28000"), false, nil, "Database error"},
		{"undefined function", state("42883"), false, nil, "Database error"},
		{"untranslatable", state("22P05"), false, nil, "Database error"},
		{"duplicate event", &pgconn.PgError{Code: "23505", TableName: "history"}, false, core.ErrDuplicateEvent, "Duplicate detected"},
		{"ack", raise("Invalid lock token"), false, core.ErrLockLost, "op: Invalid lock token"},
		{"abandon work", raise("Invalid lock token or already acked"), false, core.ErrLockLost, "already acked"},
		{"ack work", raise("Worker queue item not found or already processed"), false, core.ErrLockLost, "already processed"},
		{"renew", raise("Lock token invalid, expired, or already released"), false, core.ErrLockLost, "already released"},
		{"renew work", raise("Lock token invalid, expired, or already acked"), false, core.ErrLockLost, "already acked"},
		{"parent", raise("Instance not found: x"), false, core.ErrNotFound, "Instance not found: x"},
		{"prune", raise("Instance x not found"), false, core.ErrNotFound, "Instance x not found"},
		{"running", raise("Instance x is Running. Use force=true to delete."), false, core.ErrStillRunning, "is Running"},
		{"orphan", raise("Orphan detected: instance x"), false, core.ErrOrphan, "Orphan detected"},
		{"child", fmt.Errorf("c, a child of p: %w", core.ErrSubOrchestration), false, core.ErrSubOrchestration, "op: c, a child of p"},
		{"event id", raise("Invalid event_id in append_history"), false, core.ErrInvalidArgument, "Invalid event_id"},
		{"another message", raise("something else"), false, nil, "Database error: something else"},
		{"pool", &acquireError{errors.New("closed pool")}, true, nil, "Connection pool error: closed pool"},
		{"wrong password in the pool", &acquireError{state("28P01")}, false, nil, "Database error"},
		{"pool time-out", &acquireError{context.DeadlineExceeded}, true, nil, "Connection pool error"},
		{"lost", &lostError{io.ErrUnexpectedEOF}, true, nil, "I/O error: unexpected EOF"},
		{"anything else", errors.New("cannot scan"), false, nil, "Unexpected error: cannot scan"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := classify(t.Context(), "op", tt.err)
			var pe *core.ProviderError
			if !errors.As(err, &pe) || pe.Op != "op" {
				t.Fatalf("%v is no provider error", err)
			}
			if core.IsRetryable(err) != tt.retryable {
				t.Errorf("retryable: %v", !tt.retryable)
			}
			if tt.sentinel != nil && !errors.Is(err, tt.sentinel) {
				t.Errorf("%v is not %v", err, tt.sentinel)
			}
			if text := err.Error(); !strings.Contains(text, tt.text) || strings.Contains(text, "secret") {
				t.Errorf("text %q", text)
			}
			// The driver's error stays, but never one that looks like the
			// caller's context.
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v looks like the end of the context", err)
			}
			if want, ok := errors.AsType[*pgconn.PgError](tt.err); ok {
				var got *pgconn.PgError
				if !errors.As(err, &got) || got != want {
					t.Errorf("%v hides the error of the driver", err)
				}
			}
		})
	}
}

func TestClassifyContext(t *testing.T) {
	t.Parallel()
	if err := classify(t.Context(), "op", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := classify(ended, "op", context.Canceled); err != context.Canceled { //nolint:errorlint // untouched
		t.Errorf("the error of the context became %v", err)
	}
	late, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	if err := classify(late, "op", context.DeadlineExceeded); err != context.DeadlineExceeded { //nolint:errorlint // untouched
		t.Errorf("the error of the context became %v", err)
	}
}

func TestIsAmbiguous(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{&lostError{io.ErrUnexpectedEOF}, true},
		{&pgconn.PgError{Code: "57P01"}, true},
		{&lostError{&pgconn.PgError{Code: "57P01"}}, true},
		{&pgconn.PgError{Code: "40P01"}, false},
		{&acquireError{io.EOF}, false},
		{nil, false},
	} {
		if got := isAmbiguous(classify(t.Context(), "op", tt.err)); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}
