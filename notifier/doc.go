// Package notifier tells the fetches of a provider when to look for work.
//
//	n, err := notifier.New(notifier.Options{
//		Schema:    "orders",
//		Source:    pgxsource.FromPool(pool),
//		Refresher: refresher,
//	})
//	if err != nil {
//		return err
//	}
//	go n.Run(ctx)
//
//	w := n.Register(notifier.Orchestrator, "") // before the first query
//	defer w.Release()
//	for {
//		if item, err := query(ctx); item != nil || err != nil {
//			return item, err
//		}
//		select {
//		case <-w.C(): // there may be work
//		case <-timeout:
//			return nil, nil
//		}
//	}
//
// A wake-up is a hint, and the table is the truth: one that comes too often
// costs a query, and one that is lost costs time, never work. Wake-ups come from
//
//   - notifications of the database for rows that are visible now;
//   - due times: of rows that become visible later, and of locks that expire
//     unless their owner renews them. They come from notifications, from
//     [Notifier.At], and from a query that looks ahead ([Refresher]);
//   - the connection that listens, after each time that it was made anew;
//   - a slow poll that is always there, and a faster one while nothing listens.
//
// One waiting fetch is woken for orchestrator work, and whoever finds some wakes
// the next one ([Notifier.Wake]). All fetches are woken for worker work, because
// an activity that is bound to a session is not for everyone.
package notifier
