use std::time::Duration;

use duroxide::runtime::registry::OrchestrationRegistry;
use duroxide::{BackoffStrategy, Either2, OrchestrationContext, RetryPolicy};
use sha2::{Digest, Sha256};

/// How many activities an instance of the kill test runs.
const STEPS: i64 = 5;

type Outcome = Result<String, String>;

pub fn registry() -> OrchestrationRegistry {
    OrchestrationRegistry::builder()
        .register("salute", salute)
        .register("rust-asks", rust_asks)
        .register("hash-nonces", hash_nonces)
        .register("everything", everything)
        .register("child", child)
        .register("sleep", sleep)
        .build()
}

/// Both sides have it.
async fn salute(ctx: OrchestrationContext, name: String) -> Outcome {
    let name = ctx.schedule_activity("shout", name).await?;
    ctx.schedule_timer(Duration::from_millis(20)).await;
    let number: i64 = ctx.schedule_activity_typed("double", &21).await?;
    Ok(format!("hello {name} {number}"))
}

/// Only this side has it, and only the Go side has the activity.
async fn rust_asks(ctx: OrchestrationContext, text: String) -> Outcome {
    let answer = ctx.schedule_activity("in-go", text).with_tag("go").await?;
    Ok(format!("{answer}, says rust"))
}

async fn hash_nonces(ctx: OrchestrationContext, how: String) -> Outcome {
    let draw = |step: i64| ctx.schedule_activity_typed::<i64, String>("draw-nonce", &step);
    let mut nonces = Vec::new();
    if how == "at once" {
        for nonce in ctx.join((0..STEPS).map(draw).collect()).await {
            nonces.push(nonce?);
        }
    } else {
        for step in 0..STEPS {
            nonces.push(draw(step).await?);
        }
    }
    let hash = Sha256::digest(nonces.join("\n"));
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Has one of all that leaves a trace in the history.
async fn everything(ctx: OrchestrationContext, input: String) -> Outcome {
    if let Some(text) = input.strip_prefix("again ") {
        let place = ctx.get_kv_value("place").unwrap_or_default();
        let status = ctx.get_custom_status().unwrap_or_default();
        ctx.clear_kv_value("place");
        let letter = ctx.dequeue_event("letters").await;
        return Ok(format!("{text}; {place}; {status}; {letter}"));
    }
    let mut story = Vec::new();
    ctx.set_custom_status("on the way");
    ctx.set_kv_value("place", &input);
    ctx.set_kv_value_typed("numbers", &[1, 2]);
    story.push(ctx.schedule_activity("shout", &input).await?);
    for n in ctx.join((1..4).map(|n| ctx.schedule_activity_typed::<i64, i64>("double", &n)).collect()).await {
        story.push(n?.to_string());
    }
    story.push(ctx.schedule_activity("refuse", "way").await.unwrap_err());
    let policy = RetryPolicy::new(2).with_backoff(BackoffStrategy::Fixed { delay: Duration::from_millis(10) });
    story.push(ctx.schedule_activity_with_retry("refuse", "retry", policy).await.unwrap_err());
    story.push(ctx.schedule_activity_on_session("shout", "in session", "table").await?);

    let (never, timer) = (ctx.schedule_wait("never"), ctx.schedule_timer(Duration::from_millis(10)));
    if let Either2::First(_) = ctx.select2(never, timer).await {
        return Err("an event that nobody raised".to_string());
    }
    let (linger, timer) = (ctx.schedule_activity("linger", ""), ctx.schedule_timer(Duration::from_millis(300)));
    if let Either2::First(_) = ctx.select2(linger, timer).await {
        return Err("an activity that waits for its cancellation ended".to_string());
    }

    story.push(ctx.schedule_sub_orchestration("child", "good").await?);
    story.push(ctx.schedule_sub_orchestration("child", "bad").await.unwrap_err());
    story.push(ctx.schedule_sub_orchestration_with_id("child", format!("{}-named", ctx.instance_id()), "named").await?);
    ctx.schedule_orchestration("child", format!("{}-detached", ctx.instance_id()), "detached");
    ctx.new_guid().await?;
    ctx.utc_now().await?;
    ctx.set_custom_status("waiting for a letter");
    story.push(ctx.dequeue_event("letters").await);
    ctx.set_custom_status("waiting to go");
    story.push(ctx.schedule_wait("go").await);
    ctx.continue_as_new(format!("again {}", story.join(", "))).await
}

async fn child(_: OrchestrationContext, input: String) -> Outcome {
    if input == "bad" {
        return Err("a bad child".to_string());
    }
    Ok(format!("child of {input}"))
}

/// Is cancelled.
async fn sleep(ctx: OrchestrationContext, _: String) -> Outcome {
    ctx.set_custom_status("asleep");
    let (linger, call) = (ctx.schedule_activity("linger", ""), ctx.schedule_wait("wake up"));
    ctx.select2(linger, call).await;
    Ok("awake".to_string())
}
