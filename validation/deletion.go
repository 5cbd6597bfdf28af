package validation

import "github.com/duroxide/duroxide-go/core"

// deleteInstance deletes a root with its tree, which must succeed.
func (t *trial) deleteInstance(instance string, force bool) *core.DeleteInstanceResult {
	result, err := admin[core.AdminDeleter](t).DeleteInstance(t.ctx, core.DeleteInstanceParams{Instance: instance, Force: force})
	t.check("delete_instance", err)
	return result
}
