//! Another process of this program, which works for a measurement. It says `ready`, waits for `go`, tells how far it is, one number per
//! line, and after `stop` one line of JSON.

use anyhow::{Context, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child as Process, ChildStdin, Command};
use tokio::sync::oneshot;

/// A process that works for a measurement.
pub(crate) struct Child {
    process: Process,
    orders: ChildStdin,
    progress: Arc<AtomicU64>,
    ready: Option<oneshot::Receiver<()>>,
    report: oneshot::Receiver<String>,
}

impl Child {
    /// Starts `program` with `what` as its only argument besides the first.
    pub(crate) fn start(program: &Path, first: &str, what: &impl Serialize) -> anyhow::Result<Self> {
        let mut process = Command::new(program)
            .arg(first)
            .arg(serde_json::to_string(what)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let (Some(orders), Some(lines)) = (process.stdin.take(), process.stdout.take()) else { bail!("a child has no pipes") };
        let progress = Arc::new(AtomicU64::new(0));
        let (say_ready, ready) = oneshot::channel();
        let (say_report, report) = oneshot::channel();
        let (mut say_ready, mut say_report, seen) = (Some(say_ready), Some(say_report), Arc::clone(&progress));
        tokio::spawn(async move {
            let mut lines = BufReader::new(lines).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line == "ready" {
                    let _ = say_ready.take().map(|say| say.send(()));
                } else if let Ok(so_far) = line.parse() {
                    seen.store(so_far, Relaxed);
                } else if line.starts_with('{') {
                    let _ = say_report.take().map(|say| say.send(line));
                }
            }
        });
        Ok(Self { process, orders, progress, ready: Some(ready), report })
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        if let Some(ready) = self.ready.take() {
            ready.await.context("a child ended before it was ready")?;
        }
        Ok(())
    }

    pub(crate) async fn go(&mut self) -> anyhow::Result<()> {
        Ok(self.orders.write_all(b"go\n").await?)
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Relaxed)
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_over(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Tells it to stop and takes its report.
    pub(crate) async fn stop<T: DeserializeOwned>(mut self) -> anyhow::Result<T> {
        // One that is done already does not listen.
        let _ = self.orders.write_all(b"stop\n").await;
        let report = self.report.await.context("a child ended without its report")?;
        self.process.wait().await?;
        Ok(serde_json::from_str(&report)?)
    }

    /// SIGKILL.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}
