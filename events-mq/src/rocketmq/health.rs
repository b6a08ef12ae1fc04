//! Which servers are there. The library cannot be asked: a request whose connection breaks may wait until its time is over, and after a few
//! connections in vain it makes none for half a minute.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::{net::TcpStream, sync::watch};

/// For how long an answer may be awaited before it is looked whether the server still listens, and how often then.
const DOUBT: Duration = Duration::from_secs(1);
/// For how long answers may still come after a connection was lost.
const GRACE: Duration = Duration::from_millis(200);

#[derive(Default)]
pub(super) struct Health {
    /// Servers that did not answer the last time.
    suspects: Mutex<HashSet<String>>,
    /// How often each of them did not.
    losses: watch::Sender<HashMap<String, u64>>,
    /// When they were last found listening by somebody in doubt.
    heard: Mutex<HashMap<String, Instant>>,
}

impl Health {
    /// What came of asking a server. If nothing did, all that wait for it are told.
    pub(super) fn note(&self, server: &str, answered: bool) {
        if answered {
            lock(&self.suspects).remove(server);
            return;
        }
        lock(&self.suspects).insert(server.to_owned());
        self.losses.send_modify(|losses| *losses.entry(server.to_owned()).or_default() += 1);
    }

    /// Waits until somebody else got no answer from that server.
    pub(super) fn lost(&self, server: &str) -> impl Future<Output = ()> + Send + use<> {
        let mut losses = self.losses.subscribe();
        let before = losses.borrow_and_update().get(server).copied();
        let server = server.to_owned();
        async move {
            if losses.wait_for(|losses| losses.get(&server).copied() != before).await.is_err() {
                // Nobody can tell any more.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(GRACE).await;
        }
    }

    /// Waits until that server does not listen any more, and says why.
    pub(super) async fn gone(&self, server: &str) -> String {
        loop {
            tokio::time::sleep(DOUBT).await;
            if !self.is_our_turn(server) {
                continue;
            }
            if let Err(error) = TcpStream::connect(server).await {
                return error.to_string();
            }
        }
    }

    /// Fails if that server did not answer the last time, and does not listen.
    pub(super) async fn knock(&self, server: &str) -> std::io::Result<()> {
        let is_suspect = lock(&self.suspects).contains(server);
        if is_suspect { TcpStream::connect(server).await.map(drop) } else { Ok(()) }
    }

    /// One of many in doubt looks for all of them.
    fn is_our_turn(&self, server: &str) -> bool {
        let mut heard = lock(&self.heard);
        let ours = heard.get(server).is_none_or(|heard| heard.elapsed() >= DOUBT);
        if ours {
            heard.insert(server.to_owned(), Instant::now());
        }
        ours
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn who_waits_for_a_server_hears_that_another_got_no_answer_and_nothing_of_other_servers() {
        let health = Health::default();
        let (waiting, elsewhere) = (health.lost("a:1"), health.lost("b:1"));
        health.note("a:1", true);
        health.note("a:1", false);
        waiting.await;
        assert!(elsewhere.now_or_never().is_none());
        assert!(health.lost("a:1").now_or_never().is_none(), "only what is lost from now on");
    }

    #[tokio::test]
    async fn a_server_that_did_not_answer_is_looked_at_before_it_is_asked_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let health = Health::default();
        health.note(&server, false);
        health.knock(&server).await.unwrap();
        drop(listener);
        health.knock(&server).await.unwrap_err();
        health.note(&server, true);
        health.knock(&server).await.unwrap();
        assert!(!health.gone(&server).await.is_empty());
    }
}
