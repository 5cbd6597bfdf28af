package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/duroxide/duroxide-go/core"
	"github.com/duroxide/duroxide-go/durable"
	"github.com/duroxide/duroxide-go/pgprovider"
)

// Options say what is exported.
type Options struct {
	// Instances names instances; empty for a sample.
	Instances []string
	// Status and Sample choose up to Sample instances of each version of each
	// orchestration; an empty status takes all.
	Status core.ExecutionStatus
	Sample uint32
	// Export says what is written of each.
	Export durable.ExportOptions
	// Dir is the folder for the files, which is made if it is missing.
	Dir string
}

// Result says what was exported.
type Result struct {
	// Groups are the versions of the orchestrations in the order of their names.
	Groups []Group
	// Skipped are the instances of a sample that could not be exported.
	Skipped []error
}

// Group is one version of an orchestration.
type Group struct {
	Orchestration, Version string
	Instances              int
}

// Files returns how many instances were exported, each to a file.
func (r *Result) Files() int {
	n := 0
	for _, g := range r.Groups {
		n += g.Instances
	}
	return n
}

// Run exports. It only reads from the provider. A named instance that cannot be
// exported is an error; one of a sample is skipped, since it may be deleted
// meanwhile or be what nobody can read.
func Run(ctx context.Context, p *pgprovider.Provider, o Options) (*Result, error) {
	ids, sampled := o.Instances, len(o.Instances) == 0
	if sampled {
		var err error
		if ids, err = p.SampleInstances(ctx, o.Status, o.Sample); err != nil {
			return nil, err
		}
	}
	result := &Result{}
	client := durable.NewClient(p, nil)
	for _, id := range ids {
		group, err := one(ctx, p, client, id, o)
		switch {
		case err == nil:
			result.add(*group)
		case sampled && ctx.Err() == nil && (errors.Is(err, durable.ErrInstanceNotFound) || errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrUndecodable)):
			result.Skipped = append(result.Skipped, err)
		default:
			return nil, err
		}
	}
	return result, nil
}

// one exports an instance and returns what it is, as a group of one.
func one(ctx context.Context, p *pgprovider.Provider, client *durable.Client, id string, o Options) (*Group, error) {
	info, err := p.GetInstanceInfo(ctx, core.GetInstanceInfoParams{Instance: id})
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := client.ExportHistory(ctx, &text, id, &o.Export); err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, fileName(info.OrchestrationName+"-"+info.OrchestrationVersion))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("export %s: %w", id, err)
	}
	// Payloads may be anybody's secrets.
	if err := os.WriteFile(filepath.Join(dir, fileName(id)+".jsonl"), text.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("export %s: %w", id, err)
	}
	return &Group{info.OrchestrationName, info.OrchestrationVersion, 1}, nil
}

func (r *Result) add(one Group) {
	for i := range r.Groups {
		if g := &r.Groups[i]; g.Orchestration == one.Orchestration && g.Version == one.Version {
			g.Instances++
			return
		}
	}
	r.Groups = append(r.Groups, one)
}

// maxName leaves room for what is added within the 255 bytes of file systems.
const maxName = 200

// fileName makes a name that every file system takes. One that had to be changed
// has a hash of the original, so that two originals never share a file.
func fileName(id string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, id)
	name = name[:min(len(name), maxName)]
	if name == id && strings.Trim(name, ".") != "" {
		return name
	}
	return fmt.Sprintf("%s-%x", name, sha256.Sum256([]byte(id)))[:len(name)+9]
}
