// Package uuid has the functions of the real one that the analyser knows.
package uuid

type UUID [16]byte

func New() UUID                  { return UUID{} }
func Parse(string) (UUID, error) { return UUID{}, nil }
func NewString() string          { return "" }
func (u UUID) String() string    { return "" }
