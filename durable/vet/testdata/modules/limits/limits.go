package limits

var Max int

func Raise() { Max++ }
