package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// load asks the go command about every module of the workspace.
func load(ctx context.Context, root string, table map[string]row) ([]module, error) {
	var work struct{ Use []struct{ DiskPath string } }
	if err := goJSON(ctx, root, &work, "work", "edit", "-json"); err != nil {
		return nil, err
	}
	var modules []module
	for _, use := range work.Use {
		folder := filepath.ToSlash(filepath.Clean(use.DiskPath))
		m, err := loadModule(ctx, root, folder, table[folder].stdOnly)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		modules = append(modules, m)
	}
	return modules, nil
}

func loadModule(ctx context.Context, root, folder string, withLinks bool) (module, error) {
	dir := filepath.Join(root, filepath.FromSlash(folder))
	var file struct {
		Module    struct{ Path string }
		Go        string
		Toolchain string
		Require   []struct {
			Path, Version string
			Indirect      bool
		}
		Replace []struct{ Old struct{ Path string } }
	}
	if err := goJSON(ctx, dir, &file, "mod", "edit", "-json"); err != nil {
		return module{}, err
	}
	m := module{folder: folder, path: file.Module.Path, goVersion: file.Go, toolchain: file.Toolchain}
	for _, r := range file.Require {
		m.requires = append(m.requires, require{path: r.Path, version: r.Version, indirect: r.Indirect})
	}
	for _, r := range file.Replace {
		m.replaces = append(m.replaces, r.Old.Path)
	}
	var err error
	if m.packages, err = loadPackages(ctx, dir); err != nil {
		return module{}, err
	}
	if withLinks {
		m.links, err = loadLinks(ctx, dir)
	}
	return m, err
}

func loadPackages(ctx context.Context, dir string) ([]pkg, error) {
	// -e, because an import that cannot be resolved is a finding of ours.
	listed, err := goList(ctx, dir, "-e", "./...")
	if err != nil {
		return nil, err
	}
	var packages []pkg
	for _, l := range listed {
		if len(l.GoFiles)+len(l.CgoFiles)+len(l.TestGoFiles)+len(l.XTestGoFiles) == 0 {
			continue // nothing for this system, or not yet written
		}
		_, err := os.Stat(filepath.Join(l.Dir, "doc.go"))
		packages = append(packages, pkg{
			path:        l.ImportPath,
			name:        l.Name,
			hasDoc:      err == nil,
			testsOnly:   len(l.GoFiles)+len(l.CgoFiles) == 0,
			imports:     dotted(l.Imports),
			testImports: dotted(slices.Concat(l.TestImports, l.XTestImports)),
		})
	}
	return packages, nil
}

func loadLinks(ctx context.Context, dir string) ([]string, error) {
	listed, err := goList(ctx, dir, "-e", "-deps", "-test", "./...")
	var links []string
	for _, l := range listed {
		if !l.Standard && l.Module.Path != "" { // generated test programs have none
			links = append(links, l.Module.Path)
		}
	}
	return links, err
}

// dotted keeps the import paths outside the standard library.
func dotted(imports []string) []string {
	var out []string
	for _, imp := range imports {
		first, _, _ := strings.Cut(imp, "/")
		if strings.Contains(first, ".") {
			out = append(out, imp)
		}
	}
	return out
}

type listedPackage struct {
	Dir, ImportPath, Name                        string
	Standard                                     bool
	Module                                       struct{ Path string }
	GoFiles, CgoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports           []string
}

func goList(ctx context.Context, dir string, args ...string) ([]listedPackage, error) {
	out, err := goCommand(ctx, dir, append([]string{"list", "-json"}, args...)...)
	if err != nil {
		return nil, err
	}
	var all []listedPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listedPackage
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, l)
	}
}

func goJSON(ctx context.Context, dir string, into any, args ...string) error {
	out, err := goCommand(ctx, dir, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}
