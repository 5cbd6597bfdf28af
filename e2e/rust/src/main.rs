//! A client and a worker of the Rust runtime, for the tests in ../rust_*_test.go.
//! DATABASE_URL names the server. The Go side of the workflows is in those tests.

mod activities;
mod orchestrations;
mod work;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use duroxide::{Client, OrchestrationStatus};
use duroxide_pg_opt::{MigrationPolicy, PostgresProvider, ProviderConfig};
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage:
  duroxide-e2e migrate SCHEMA                             bring a schema to the last version
  duroxide-e2e start SCHEMA INSTANCE ORCHESTRATION INPUT  start an instance
  duroxide-e2e wait SCHEMA INSTANCE                       wait for its end and print it as JSON
  duroxide-e2e work SCHEMA NAME                           be a worker until standard input ends";

#[tokio::main]
async fn main() -> Result<()> {
    // The runtime would log to the standard output.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(LevelFilter::WARN).with_ansi(false).init();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["migrate", schema] => open(schema, MigrationPolicy::ApplyAll).await.map(drop),
        ["start", schema, instance, orchestration, input] => {
            let client = Client::new(open(schema, MigrationPolicy::VerifyOnly).await?);
            Ok(client.start_orchestration(instance, orchestration, input).await?)
        }
        ["wait", schema, instance] => {
            let client = Client::new(open(schema, MigrationPolicy::VerifyOnly).await?);
            wait(&client, instance).await
        }
        ["work", schema, name] => work::work(open(schema, MigrationPolicy::VerifyOnly).await?, schema, name).await,
        _ => Err(USAGE.into()),
    }
}

async fn open(schema: &str, migration_policy: MigrationPolicy) -> Result<Arc<PostgresProvider>> {
    let url = std::env::var("DATABASE_URL")?;
    let mut config = ProviderConfig::default();
    config.schema_name = Some(schema.to_string());
    config.migration_policy = migration_policy;
    Ok(Arc::new(PostgresProvider::new_with_config(&url, config).await?))
}

async fn wait(client: &Client, instance: &str) -> Result<()> {
    let end = client.wait_for_orchestration(instance, Duration::from_secs(60)).await?;
    let (state, text, custom_status) = match end {
        OrchestrationStatus::Completed { output, custom_status, .. } => ("Completed", output, custom_status),
        OrchestrationStatus::Failed { details, custom_status, .. } => {
            ("Failed", details.display_message(), custom_status)
        }
        other => return Err(format!("waited for the end and got {other:?}").into()),
    };
    println!("{}", json!({"state": state, "text": text, "custom_status": custom_status}));
    Ok(())
}
