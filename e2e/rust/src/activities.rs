use std::time::Duration;

use duroxide::runtime::registry::ActivityRegistry;
use duroxide::ActivityContext;
use sqlx::PgPool;

pub fn registry(pool: PgPool, schema: &str, worker: &str) -> ActivityRegistry {
    let (schema, worker) = (schema.to_string(), worker.to_string());
    ActivityRegistry::builder()
        .register("shout", |_: ActivityContext, text: String| async move { Ok(text.to_uppercase()) })
        .register_typed("double", |_: ActivityContext, n: i64| async move { Ok(2 * n) })
        .register(
            "refuse",
            |_: ActivityContext, text: String| async move { Err::<String, String>(format!("no {text}")) },
        )
        .register("linger", |ctx: ActivityContext, _: String| async move {
            ctx.cancelled().await;
            Err::<String, String>("not wanted".to_string())
        })
        .register("in-rust", |_: ActivityContext, text: String| async move { Ok(format!("rust got {text}")) })
        .register_typed("draw-nonce", move |ctx: ActivityContext, step: i64| {
            let (pool, schema, worker) = (pool.clone(), schema.clone(), worker.clone());
            async move { draw(&pool, &schema, &worker, ctx.instance_id(), step).await.map_err(|err| err.to_string()) }
        })
        .build()
}

/// Writes down and returns a text that no other call has returned, and waits
/// for its turn, so that the run does not outrun the kills. Schema is a name that the
/// test made up.
async fn draw(pool: &PgPool, schema: &str, worker: &str, instance: &str, step: i64) -> sqlx::Result<String> {
    let insert = format!(
        "INSERT INTO {schema}.draws (instance, step, nonce, worker)
         VALUES ($1, $2, gen_random_uuid()::text, $3) RETURNING number, nonce"
    );
    let (number, nonce): (i64, String) =
        sqlx::query_as(&insert).bind(instance).bind(step).bind(worker).fetch_one(pool).await?;
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let (allowed,): (i64,) = sqlx::query_as(&format!("SELECT allowed FROM {schema}.gate")).fetch_one(pool).await?;
        if number <= allowed {
            return Ok(nonce);
        }
    }
}
