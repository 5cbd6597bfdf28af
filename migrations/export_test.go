package migrations

// For the tests, which are outside the package because migrationstest imports it.
var (
	CheckLock = checkLock
	LineOf    = lineOf
	ListFiles = listFiles
	LockKey   = lockKey
	RunFS     = runFS
)
