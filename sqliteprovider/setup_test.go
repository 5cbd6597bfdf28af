package sqliteprovider_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/duroxide/duroxide-go/sqliteprovider"
)

// patience is a bound for what happens at once; only a failure waits for it.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// openAt opens a provider that the end of the test closes.
func openAt(t *testing.T, path string, options ...func(*sqliteprovider.Options)) *sqliteprovider.Provider {
	t.Helper()
	o := &sqliteprovider.Options{}
	for _, f := range options {
		f(o)
	}
	p, err := sqliteprovider.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}
