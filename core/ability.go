package core

// Ability looks for an optional ability of a provider: T is an interface that
// the provider may implement beside [Provider], such as [Admin] or
// [AdminReader]. Decorators are looked through: a provider that wraps another
// one and offers Unwrap() Provider never hides what it does not itself
// implement.
//
//	admin, ok := core.Ability[core.AdminReader](provider)
func Ability[T any](p Provider) (T, bool) {
	for p != nil {
		if t, ok := p.(T); ok {
			return t, true
		}
		u, ok := p.(interface{ Unwrap() Provider })
		if !ok {
			break
		}
		p = u.Unwrap()
	}
	var none T
	return none, false
}
