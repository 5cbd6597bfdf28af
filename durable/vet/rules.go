package vet

import (
	"go/types"
	"maps"
	"slices"
)

// What orchestration code does itself.
var (
	goroutine    = rule{category: "goroutine", advice: "start a block with durable.Go"}
	selection    = rule{category: "select", advice: "wait with durable.Select or durable.Race"}
	channel      = rule{category: "channel", advice: "pass values in futures, or wait with durable.WaitEvent or durable.Dequeue"}
	globalWrite  = rule{category: "global", global: true, advice: "it is done again on every replay and lost with the process; keep it in a local variable or with durable.KVSet"}
	globalRead   = rule{category: "global", global: true, advice: "it may have another value on replay; pass it in the input or ask an activity"}
	inMapOrder   = rule{category: "maporder", advice: "it differs on replay; go through the keys with slices.Sorted(maps.Keys(m))"}
	deferred     = rule{category: "defer", advice: "deferred functions also run when an orchestration merely stops waiting; do it on every path that returns"}
	discard      = rule{category: "future", advice: "it is given up when the function or block returns; await it, join it, or start a detached orchestration"}
	activityWork = rule{category: "io", advice: "what needs one is work for an activity"}
)

// What it does by using the standard library.
var (
	clock       = rule{category: "time", advice: "take the recorded time from ctx.Now()"}
	sleeping    = rule{category: "time", advice: "use ctx.Sleep, which survives restarts"}
	timing      = rule{category: "time", advice: "use ctx.Timer, with durable.Race if something else may come first"}
	zone        = rule{category: "time", advice: "processes have different time zones; use UTC, or In with a zone from the input"}
	random      = rule{category: "random", advice: "each replay draws another value; use ctx.NewGUID() or ask an activity"}
	environment = rule{category: "environment", advice: "it differs between processes; pass it in the input or ask an activity"}
	io          = rule{category: "io", advice: "do it in an activity"}
	printing    = rule{category: "log", advice: "use ctx.Logger(), which is silent while history is replayed"}
	locking     = rule{category: "sync", direct: true, advice: "blocks of an orchestration take turns and need no locks; wait with Future.Await, durable.Join or durable.Select"}
	deadline    = rule{category: "context", advice: "an orchestration has no context.Context; use ctx.Timer with durable.Race, and Future.Cancel"}
	harmless    = rule{}
)

// standard says what does not belong in orchestration code, by "path.Function",
// "path.Variable" and "path.Type.Method". A star stands for all functions of the
// package or all methods of the type that have no entry of their own.
var standard = merged(
	each(clock, "time.Now", "time.Since", "time.Until"),
	each(sleeping, "time.Sleep"),
	each(timing, "time.After", "time.AfterFunc", "time.NewTicker", "time.NewTimer", "time.Tick"),
	each(zone, "time.Local", "time.LoadLocation", "time.Time.Local"),

	// Generators made from a seed repeat themselves.
	each(random, "math/rand.*", "math/rand/v2.*", "crypto/rand.*", "crypto/rand.Reader", "hash/maphash.*"),
	each(harmless, "math/rand.New", "math/rand.NewSource", "math/rand.NewZipf",
		"math/rand/v2.New", "math/rand/v2.NewChaCha8", "math/rand/v2.NewPCG", "math/rand/v2.NewZipf"),
	each(random, "github.com/google/uuid.New", "github.com/google/uuid.NewString", "github.com/google/uuid.NewRandom",
		"github.com/google/uuid.NewUUID", "github.com/google/uuid.NewV6", "github.com/google/uuid.NewV7"),

	each(environment, "os.Args", "os.Environ", "os.ExpandEnv", "os.Executable", "os.Getegid", "os.Getenv", "os.Geteuid", "os.Getgid",
		"os.Getgroups", "os.Getpagesize", "os.Getpid", "os.Getppid", "os.Getuid", "os.Getwd", "os.Hostname", "os.LookupEnv", "os.TempDir",
		"os.UserCacheDir", "os.UserConfigDir", "os.UserHomeDir", "os/user.*", "runtime.*", "runtime/debug.*"),
	each(io, "os.*", "os.File.*", "os.Process.*", "os.Root.*", "os.Stdin", "os.Stdout", "os.Stderr",
		"os/exec.*", "os/exec.Cmd.*", "os/signal.*", "io/ioutil.*", "syscall.*",
		"path/filepath.Abs", "path/filepath.EvalSymlinks", "path/filepath.Glob", "path/filepath.Walk", "path/filepath.WalkDir"),
	each(harmless, "os.Expand", "os.IsExist", "os.IsNotExist", "os.IsPathSeparator", "os.IsPermission", "os.IsTimeout", "os.NewSyscallError",
		"io/ioutil.NopCloser", "io/ioutil.ReadAll", "os.Process.String", "os/exec.Cmd.String"),
	each(io, "net.Dial", "net.DialIP", "net.DialTCP", "net.DialTimeout", "net.DialUDP", "net.DialUnix", "net.FileConn", "net.FileListener",
		"net.FilePacketConn", "net.InterfaceAddrs", "net.InterfaceByIndex", "net.InterfaceByName", "net.Interfaces", "net.Listen",
		"net.ListenIP", "net.ListenMulticastUDP", "net.ListenPacket", "net.ListenTCP", "net.ListenUDP", "net.ListenUnix",
		"net.ListenUnixgram", "net.LookupAddr", "net.LookupCNAME", "net.LookupHost", "net.LookupIP", "net.LookupMX", "net.LookupNS",
		"net.LookupPort", "net.LookupSRV", "net.LookupTXT", "net.ResolveIPAddr", "net.ResolveTCPAddr", "net.ResolveUDPAddr",
		"net.Conn.*", "net.Dialer.*", "net.Listener.*", "net.PacketConn.*", "net.Resolver.*"),
	each(io, "net/http.Client.*", "net/http.DefaultClient", "net/http.Get", "net/http.Head", "net/http.ListenAndServe",
		"net/http.ListenAndServeTLS", "net/http.Post", "net/http.PostForm", "net/http.RoundTripper.RoundTrip", "net/http.Serve",
		"net/http.ServeTLS", "net/http.Server.*", "net/http.Transport.*"),
	each(io, "net/rpc.*", "net/rpc.Client.*", "net/rpc/jsonrpc.*", "net/smtp.*", "net/smtp.Client.*",
		"crypto/tls.Dial", "crypto/tls.DialWithDialer", "crypto/tls.Listen", "crypto/tls.Conn.*"),
	each(io, "database/sql.*", "database/sql.Conn.*", "database/sql.DB.*", "database/sql.Row.*", "database/sql.Rows.*",
		"database/sql.Stmt.*", "database/sql.Tx.*"),
	each(harmless, "database/sql.Named"),

	each(printing, "fmt.Print", "fmt.Printf", "fmt.Println", "log.*", "log.Logger.*", "log/slog.Debug", "log/slog.DebugContext",
		"log/slog.Default", "log/slog.Error", "log/slog.ErrorContext", "log/slog.Info", "log/slog.InfoContext", "log/slog.Log",
		"log/slog.LogAttrs", "log/slog.SetDefault", "log/slog.Warn", "log/slog.WarnContext", "log/slog.With"),
	each(io, "fmt.Scan", "fmt.Scanf", "fmt.Scanln"),

	each(locking, "sync.*", "sync.Cond.*", "sync.Locker.*", "sync.Map.*", "sync.Mutex.*", "sync.Once.*", "sync.Pool.*", "sync.RWMutex.*",
		"sync.WaitGroup.*", "sync/atomic.*", "sync/atomic.Bool.*", "sync/atomic.Int32.*", "sync/atomic.Int64.*", "sync/atomic.Pointer.*",
		"sync/atomic.Uint32.*", "sync/atomic.Uint64.*", "sync/atomic.Uintptr.*", "sync/atomic.Value.*"),
	each(deadline, "context.AfterFunc", "context.WithCancel", "context.WithCancelCause", "context.WithDeadline", "context.WithDeadlineCause",
		"context.WithTimeout", "context.WithTimeoutCause"),
)

// each gives every name the same rule.
func each(r rule, names ...string) map[string]rule {
	rules := make(map[string]rule, len(names))
	for _, name := range names {
		rules[name] = r
	}
	return rules
}

func merged(parts ...map[string]rule) map[string]rule {
	all := make(map[string]rule)
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// standardFunction returns what the table says of a function or a method; ok is
// false if it may be used.
func standardFunction(fn *types.Func) (rule, bool) {
	if fn.Pkg() == nil {
		return rule{}, false
	}
	prefix := pathOf(fn.Pkg()) + "."
	if recv := fn.Signature().Recv(); recv != nil {
		prefix += receiverName(recv) + "."
	}
	r, ok := standard[prefix+fn.Name()]
	if !ok {
		r, ok = standard[prefix+"*"]
	}
	return r, ok && r != harmless
}

// isStandard reports whether a package belongs to the standard library, by the
// first element of its path: the drivers of analysers do not say it, and a user's
// module may have a path without a dot.
func isStandard(first string) bool {
	_, found := slices.BinarySearch(standardRoots, first)
	return found
}

var standardRoots = []string{
	"archive", "arena", "bufio", "builtin", "bytes", "cmd", "cmp", "compress", "container", "context", "crypto", "database", "debug",
	"embed", "encoding", "errors", "expvar", "flag", "fmt", "go", "hash", "html", "image", "index", "internal", "io", "iter", "log", "maps",
	"math", "mime", "net", "os", "path", "plugin", "reflect", "regexp", "runtime", "simd", "slices", "sort", "strconv", "strings",
	"structs", "sync", "syscall", "testing", "text", "time", "unicode", "unique", "unsafe", "vendor", "weak",
}
