//! The client library's own runtime: one for the whole process, made when it is first needed, and never dropped.

use crate::failure::Failure;
use rocketmq_client_rust::{ClientRuntime, ClientRuntimeConfig};
use rocketmq_observability::TelemetryRuntimeGuard;
use rocketmq_runtime::{RuntimeConfig, RuntimeOwner};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;

/// What the library demands before it does anything. Users have a runtime already, and need not know of this one.
pub(super) struct Engine {
    client: Arc<ClientRuntime>,
    /// Where goodbyes are said, because who is dropped may be outside of every runtime.
    handle: Handle,
    // Dropped, they would end the client.
    _owner: RuntimeOwner,
    _telemetry: TelemetryRuntimeGuard,
}

impl Engine {
    pub(super) fn get() -> Result<&'static Self, Failure> {
        static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
        // Nobody may block on a runtime from within another one, so a thread of its own makes it.
        let make = || std::thread::spawn(Self::make).join().unwrap_or_else(|_| Err("it panicked".to_owned()));
        let engine = ENGINE.get_or_init(make).as_ref();
        engine.map_err(|error| Failure::hopeless(format!("the client of {} cannot start: {error}", super::NAME)))
    }

    fn make() -> Result<Self, String> {
        let config = RuntimeConfig { thread_name: "events-rocketmq".to_owned(), worker_threads: 2, ..RuntimeConfig::default() };
        let owner = RuntimeOwner::plan(config).map_err(|error| error.to_string())?.build().map_err(|error| error.to_string())?;
        let handle = owner.block_on(async { Handle::current() });
        let telemetry = TelemetryRuntimeGuard::noop();
        let context = owner.root_context().component("events");
        let client =
            ClientRuntime::try_new(context, ClientRuntimeConfig::default(), telemetry.handle()).map_err(|error| error.to_string())?;
        Ok(Self { client, handle, _owner: owner, _telemetry: telemetry })
    }

    pub(super) fn client(&self) -> &ClientRuntime {
        &self.client
    }

    pub(super) fn shared_client(&self) -> Arc<ClientRuntime> {
        Arc::clone(&self.client)
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }
}
