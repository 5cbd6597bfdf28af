package library

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math/rand"
	randv2 "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/duroxide/duroxide-go/durable"
	"github.com/google/uuid"
)

func clocks(ctx *durable.Context, at time.Time) {
	_ = time.Now()        // want `orchestration code calls time.Now: take the recorded time from ctx.Now\(\)`
	_ = time.Since(at)    // want `calls time.Since: take the recorded time`
	_ = time.Until(at)    // want `calls time.Until: take the recorded time`
	time.Sleep(1)         // want `calls time.Sleep: use ctx.Sleep, which survives restarts`
	_ = time.After(1)     // want `calls time.After: use ctx.Timer`
	_ = time.Tick(1)      // want `calls time.Tick: use ctx.Timer`
	_ = time.NewTimer(1)  // want `calls time.NewTimer: use ctx.Timer`
	_ = time.NewTicker(1) // want `calls time.NewTicker: use ctx.Timer`
	clock := time.Now     // want `uses time.Now: take the recorded time`
	_ = clock()
	_ = at.Local()        // want `calls time.Time.Local: processes have different time zones`
	_ = at.In(time.Local) // want `uses time.Local: processes have different time zones`

	// Arithmetic is free.
	_ = ctx.Now().Add(time.Hour).Truncate(24 * time.Hour).Sub(at)
	_ = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC).Before(at)
	_, _ = time.Parse(time.RFC3339, "")
}

func randomness(ctx *durable.Context, seed uint64) {
	_ = rand.Intn(6)                                                   // want `calls rand.Intn: each replay draws another value; use ctx.NewGUID\(\) or ask an activity`
	_ = randv2.N(6)                                                    // want `calls rand.N: each replay draws another value`
	_, _ = crand.Read(nil)                                             // want `calls rand.Read: each replay`
	_, _ = crand.Int(crand.Reader, nil)                                // want `calls rand.Int: each replay` `uses rand.Reader: each replay`
	_ = uuid.New()                                                     // want `calls uuid.New: each replay`
	_ = strings.ToUpper(uuid.NewString())                              // want `calls uuid.NewString: each replay`
	slices.SortFunc([]int{}, func(_, _ int) int { return rand.Int() }) // want `calls rand.Int: each replay`

	// A generator with a seed from the input repeats itself.
	dice := randv2.New(randv2.NewPCG(seed, 1))
	_ = dice.IntN(6)
	_, _ = uuid.Parse("")
	_ = sha256.Sum256(nil)
}

func world(ctx *durable.Context, db *sql.DB, conn net.Conn, client *http.Client, file *os.File) error {
	_ = os.Getenv("REGION")            // want `calls os.Getenv: it differs between processes; pass it in the input or ask an activity`
	_ = os.Args[1]                     // want `uses os.Args: it differs`
	_, _ = os.Hostname()               // want `calls os.Hostname: it differs`
	_, _ = os.ReadFile("prices")       // want `calls os.ReadFile: do it in an activity`
	_, _ = file.WriteString("")        // want `calls os.File.WriteString: do it in an activity`
	_ = exec.Command("ls").Run()       // want `calls exec.Command: do it` `calls exec.Cmd.Run: do it`
	_, _ = filepath.Abs("prices")      // want `calls filepath.Abs: do it`
	_, _ = net.Dial("tcp", "")         // want `calls net.Dial: do it`
	_, _ = conn.Write(nil)             // want `calls net.Conn.Write: do it`
	_, _ = http.Get("")                // want `calls http.Get: do it`
	_, _ = client.Do(nil)              // want `calls http.Client.Do: do it`
	_ = db.QueryRow("SELECT 1").Scan() // want `calls sql.DB.QueryRow: do it` `calls sql.Row.Scan: do it`
	_ = runtime.NumCPU()               // want `calls runtime.NumCPU: it differs`

	// Reading and writing memory is no I/O.
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d", 1)
	if err := json.NewDecoder(&b).Decode(new(int)); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	_ = filepath.Base("a/b")
	_ = net.ParseIP("::1")
	_ = http.StatusText(404)
	return errors.Join(os.ErrNotExist, sql.ErrNoRows)
}

func logging(ctx *durable.Context, own *log.Logger) {
	fmt.Println("here")     // want `calls fmt.Println: use ctx.Logger\(\), which is silent while history is replayed`
	fmt.Fprintln(os.Stderr) // want `uses os.Stderr: do it in an activity`
	log.Printf("here")      // want `calls log.Printf: use ctx.Logger\(\)`
	own.Print("here")       // want `calls log.Logger.Print: use ctx.Logger\(\)`
	slog.Info("here")       // want `calls slog.Info: use ctx.Logger\(\)`

	ctx.Logger().Info("here", "text", fmt.Sprint(1))
	ctx.Logger().LogAttrs(context.Background(), slog.LevelInfo, "here", slog.Int("n", 1))
}

var (
	mu    sync.Mutex
	total atomic.Int64
)

func locks(ctx *durable.Context) {
	mu.Lock()         // want `calls sync.Mutex.Lock: blocks of an orchestration take turns and need no locks`
	defer mu.Unlock() // want `calls sync.Mutex.Unlock`
	total.Add(1)      // want `calls atomic.Int64.Add`
	var wg sync.WaitGroup
	wg.Wait()                      // want `calls sync.WaitGroup.Wait`
	_ = sync.OnceValue(seedlessly) // want `calls sync.OnceValue`
}

func seedlessly() int { return 4 }

func deadlines(ctx *durable.Context) {
	_, cancel := context.WithTimeout(context.Background(), 1) // want `calls context.WithTimeout: an orchestration has no context.Context`
	cancel()
}
