// Command modgraph checks the modules of the workspace against the rules that
// keep their dependencies small and their order of release clear:
//
//	go run ./tools/modgraph
//
// The table in rules.go says which sibling modules and which other modules each
// one may use. Beside that, arrows form no cycle, core links the standard
// library only, versions agree, and no go.mod replaces anything. Each finding
// names the module, what is wrong and the rule; any finding makes the exit code 1.
package main
