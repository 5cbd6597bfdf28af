use std::sync::Arc;
use std::time::Duration;

use duroxide::providers::TagFilter;
use duroxide::runtime::{Runtime, RuntimeOptions, UnregisteredBackoffConfig};
use duroxide_pg_opt::PostgresProvider;
use tokio::io::{copy, sink, stdin};

use crate::{activities, orchestrations, Result};

/// Short, so that what a dead worker held is soon free again.
const LOCK: Duration = Duration::from_secs(5);

/// Takes work without a tag and with the tag "rust" until standard input ends,
/// which it also does when the test dies.
pub async fn work(store: Arc<PostgresProvider>, schema: &str, name: &str) -> Result<()> {
    let backoff = Duration::from_millis(100);
    let options = RuntimeOptions {
        orchestration_concurrency: 4,
        worker_concurrency: 8,
        orchestrator_lock_timeout: LOCK,
        worker_lock_timeout: LOCK,
        // The Go side has the same rules: work that only the other side knows
        // is soon offered again, and does not become poison.
        unregistered_backoff: UnregisteredBackoffConfig { base_delay: backoff, max_delay: backoff },
        max_attempts: 1000,
        // How long a worker can miss that the lock of a dead one has ended.
        dispatcher_long_poll_timeout: Duration::from_secs(1),
        worker_tag_filter: TagFilter::default_and(["rust"]),
        ..Default::default()
    };
    let activities = activities::registry(store.pool().clone(), schema, name);
    let runtime = Runtime::start_with_options(store, activities, orchestrations::registry(), options).await;
    println!("working");
    copy(&mut stdin(), &mut sink()).await?;
    runtime.shutdown(None).await; // takes a second
    Ok(())
}
