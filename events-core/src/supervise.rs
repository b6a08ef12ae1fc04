//! Keeps background loops alive: a panic is counted and the loop restarted; every loop tells when it last succeeded.

use crate::stats::Health;
use futures_util::FutureExt;
use std::{any::Any, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{runtime::Handle, task::JoinHandle};

/// How long a loop that panicked pauses, so that a loop that always panics does not burn a core.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Runs `body` for ever: when it returns it is done, when it panics it is started again.
pub(crate) fn supervise<F, Fut>(runtime: &Handle, health: Arc<Health>, body: F) -> JoinHandle<()>
where
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    runtime.spawn(async move {
        loop {
            match AssertUnwindSafe(body()).catch_unwind().await {
                Ok(()) => return,
                Err(panic) => {
                    health.restarted();
                    tracing::error!(name = health.name, panic = panic_message(&*panic), "a background loop panicked; it is restarted");
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
            }
        }
    })
}

/// The text of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
