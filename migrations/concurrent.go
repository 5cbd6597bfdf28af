package migrations

import "slices"

// concurrentIndex returns the name of the index that a statement builds or drops
// concurrently.
func (s *statement) concurrentIndex() string {
	at := s.concurrently()
	if at < 0 {
		return ""
	}
	p := &parser{s.tokens[at+1:]}
	return p.object()
}

// concurrently returns the place of that word in a statement about an index, -1
// if there is none.
func (s *statement) concurrently() int {
	index := slices.IndexFunc(s.tokens, func(t token) bool { return t.is("index") })
	if index < 1 || index > 2 || len(s.tokens) < index+2 || !s.tokens[index+1].is("concurrently") {
		return -1
	}
	return index + 1
}

// forNewSchema returns the migration as it is applied to a schema that this run
// makes: in a transaction, with ordinary indexes. The tables are empty and
// nobody uses them yet, whereas a concurrent build would wait for every
// transaction of the database.
func (m migration) forNewSchema() migration {
	if m.transactional {
		return m
	}
	sql := m.sql
	for _, s := range slices.Backward(m.statements) {
		at := s.concurrently()
		if at < 0 {
			return m
		}
		sql = sql[:s.at+s.tokens[at].at] + sql[s.at+s.tokens[at+1].at:]
	}
	statements, err := splitSQL(sql)
	if err != nil {
		return m // it split before
	}
	m.sql, m.statements, m.transactional = sql, statements, true
	return m
}
