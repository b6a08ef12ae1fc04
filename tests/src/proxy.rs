//! A TCP proxy between a pool and its server that loses connections on command, also between COMMIT and its answer.

use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Whose protocol goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL 3.0, without TLS.
    Postgres,
    /// MySQL and MariaDB, without TLS.
    Mysql,
}

/// What becomes of a COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It never reaches the server: the transaction is rolled back, which the client cannot know.
    Commit,
    /// The server carries it out, and its answer is lost.
    Answer,
}

/// Listens on a port of its own; dropped, it closes everything.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    protocol: Protocol,
    plan: Mutex<Plan>,
    /// Raised by one whenever all connections are to be cut; dropped, they are too.
    cuts: watch::Sender<u64>,
    lost: AtomicU64,
}

#[derive(Default)]
struct Plan {
    refuses: bool,
    only_with: Option<&'static str>,
    next: VecDeque<Loss>,
    chance: Option<(StdRng, f64)>,
}

impl Proxy {
    /// A proxy before the server on port `server` of 127.0.0.1.
    ///
    /// # Panics
    /// There is no free port.
    pub async fn before(server: u16, protocol: Protocol) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().unwrap().port();
        let (cuts, mut ended) = watch::channel(0);
        let shared = Arc::new(Shared { server, protocol, plan: Mutex::default(), cuts, lost: AtomicU64::new(0) });
        let weak = Arc::downgrade(&shared);
        tokio::spawn(async move {
            loop {
                let client = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = dropped(&mut ended) => return,
                };
                let (Ok((client, _)), Some(shared)) = (client, weak.upgrade()) else { return };
                if !shared.plan().refuses {
                    let cut = shared.cuts.subscribe();
                    let line = Line { shared: Arc::downgrade(&shared), server: shared.server, protocol: shared.protocol };
                    tokio::spawn(line.carry(client, cut));
                }
            }
        });
        Self { port, shared }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Closes new connections at once, until [`accept`](Self::accept).
    pub fn refuse(&self) {
        self.shared.plan().refuses = true;
    }

    /// Takes new connections again.
    pub fn accept(&self) {
        self.shared.plan().refuses = false;
    }

    /// From now on loses no COMMITs but those of transactions in which a statement held this text.
    pub fn only_with(&self, text: &'static str) {
        self.shared.plan().only_with = Some(text);
    }

    /// Loses the next COMMIT; several calls stand in line.
    pub fn lose_next(&self, loss: Loss) {
        self.shared.plan().next.push_back(loss);
    }

    /// Loses a `share` of all COMMITs, half of them each way; 0 for none.
    pub fn lose_by_chance(&self, share: f64, seed: u64) {
        self.shared.plan().chance = (share > 0.0).then(|| (StdRng::seed_from_u64(seed), share));
    }

    /// How many COMMITs were lost, one way or the other.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Relaxed)
    }
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of this COMMIT.
    fn fate(&self) -> Option<Loss> {
        let mut plan = self.plan();
        let by_chance = |(dice, share): &mut (StdRng, f64)| {
            dice.random_bool(*share).then(|| if dice.random_bool(0.5) { Loss::Commit } else { Loss::Answer })
        };
        let fate = plan.next.pop_front().or_else(|| plan.chance.as_mut().and_then(by_chance));
        if fate.is_some() {
            self.lost.fetch_add(1, Relaxed);
        }
        fate
    }
}

/// Returns when the proxy is gone.
async fn dropped(cuts: &mut watch::Receiver<u64>) {
    while cuts.changed().await.is_ok() {}
}

/// One connection on its way through.
struct Line {
    shared: std::sync::Weak<Shared>,
    server: u16,
    protocol: Protocol,
}

impl Line {
    /// Carries bytes both ways until an end closes, the connection is cut, or a COMMIT is lost.
    async fn carry(self, mut client: TcpStream, mut cut: watch::Receiver<u64>) {
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", self.server)).await else { return };
        let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
        let mut watch = Watch::of(self.protocol);
        let (mut asked, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        loop {
            tokio::select! {
                _ = cut.changed() => return,
                read = client.read(&mut asked) => {
                    let Ok(length @ 1..) = read else { return };
                    let Some(shared) = self.shared.upgrade() else { return };
                    let only_with = shared.plan().only_with;
                    let fate = if watch.sees_commit(&asked[..length], only_with) { shared.fate() } else { None };
                    drop(shared);
                    if fate == Some(Loss::Commit) {
                        return;
                    }
                    if server.write_all(&asked[..length]).await.is_err() {
                        return;
                    }
                    if fate == Some(Loss::Answer) {
                        // The first byte of the answer says that the server has carried it out.
                        let _ = server.read(&mut answered).await;
                        return;
                    }
                }
                read = server.read(&mut answered) => {
                    let Ok(length @ 1..) = read else { return };
                    if client.write_all(&answered[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Reads along what the client sends.
struct Watch {
    protocol: Protocol,
    /// Whether the first message, which has a form of its own, is over.
    begun: bool,
    /// Whether a statement of this transaction held the text that is looked for.
    marked: bool,
    /// The beginning of a message whose end has not come yet.
    pending: Vec<u8>,
}

impl Watch {
    fn of(protocol: Protocol) -> Self {
        Self { protocol, begun: false, marked: false, pending: Vec::new() }
    }

    /// Whether one of the messages that are complete with `bytes` is a COMMIT; of a transaction with that text, if one is given.
    fn sees_commit(&mut self, bytes: &[u8], only_with: Option<&str>) -> bool {
        self.pending.extend_from_slice(bytes);
        let mut commits = false;
        while let Some(message) = self.next() {
            let statement = match self.protocol {
                Protocol::Postgres => postgres_statement(&message),
                Protocol::Mysql => mysql_statement(&message),
            };
            let Some(statement) = statement.map(|statement| String::from_utf8_lossy(statement).trim().to_owned()) else { continue };
            let statement = statement.trim_end_matches(';');
            self.marked |= only_with.is_none_or(|text| statement.contains(text));
            if statement.eq_ignore_ascii_case("COMMIT") {
                commits |= self.marked;
                self.marked = false;
            } else if statement.eq_ignore_ascii_case("ROLLBACK") {
                self.marked = false;
            }
        }
        commits
    }

    /// Takes out one complete message.
    fn next(&mut self) -> Option<Vec<u8>> {
        let length = match self.protocol {
            // A type and a length that counts itself; the first message has no type.
            Protocol::Postgres => {
                let header = usize::from(self.begun);
                let length = self.pending.get(header..header + 4)?.try_into().map(u32::from_be_bytes).ok()?;
                header + length as usize
            }
            // A length of three bytes that does not count the header, and a sequence number.
            Protocol::Mysql => {
                let header = self.pending.get(..4)?;
                4 + usize::from(header[0]) + (usize::from(header[1]) << 8) + (usize::from(header[2]) << 16)
            }
        };
        if self.pending.len() < length {
            return None;
        }
        let message: Vec<u8> = self.pending.drain(..length).collect();
        if self.protocol == Protocol::Postgres && !self.begun {
            // A start-up message has no type; nothing in it is a statement.
            self.begun = true;
            return Some(Vec::new());
        }
        Some(message)
    }
}

/// The text of a simple query, or of the parse message of an extended one: type, length, name, text, each text ended by zero.
fn postgres_statement(message: &[u8]) -> Option<&[u8]> {
    match message.split_first_chunk::<5>()? {
        ([b'Q', ..], rest) => rest.split(|byte| *byte == 0).next(),
        ([b'P', ..], rest) => rest.split(|byte| *byte == 0).nth(1),
        _ => None,
    }
}

/// The text of a COM_QUERY or a COM_STMT_PREPARE: header, 3 or 22, text.
fn mysql_statement(message: &[u8]) -> Option<&[u8]> {
    match message.split_first_chunk::<5>()? {
        ([_, _, _, 0, 3 | 22], text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(kind: u8, text: &[u8]) -> Vec<u8> {
        let mut message = vec![kind];
        message.extend_from_slice(&u32::try_from(4 + text.len()).unwrap().to_be_bytes());
        message.extend_from_slice(text);
        message
    }

    #[test]
    fn a_commit_is_seen_however_the_bytes_arrive() {
        let startup = [0, 0, 0, 8, 0, 3, 0, 0];
        let other = postgres(b'Q', b"SELECT 'COMMIT'\0");
        for commit in [postgres(b'Q', b"COMMIT\0"), postgres(b'P', b"name\0commit;\0\0\0"), postgres(b'P', b"\0COMMIT\0\0\0")] {
            let stream = [&startup[..], &other, &commit].concat();
            let mut watch = Watch::of(Protocol::Postgres);
            let seen: Vec<bool> = stream.iter().map(|byte| watch.sees_commit(&[*byte], None)).collect();
            assert_eq!(seen.iter().position(|seen| *seen), Some(stream.len() - 1));
        }
        let mut watch = Watch::of(Protocol::Mysql);
        assert!(!watch.sees_commit(b"\x09\x00\x00\x00\x03SELECT 1", None));
        assert!(!watch.sees_commit(b"\x07\x00\x00\x00\x03COM", None));
        assert!(watch.sees_commit(b"MIT", None));
    }

    #[test]
    fn a_commit_may_be_looked_for_in_transactions_with_a_certain_text_only() {
        let (other, marked, commit) = (postgres(b'Q', b"SELECT 1\0"), postgres(b'Q', b"SELECT 'x'\0"), postgres(b'Q', b"COMMIT\0"));
        let mut watch = Watch::of(Protocol::Postgres);
        assert!(!watch.sees_commit(&[0, 0, 0, 8, 0, 3, 0, 0], Some("'x'")));
        let mut commits = |before: &[u8]| watch.sees_commit(&[before, &commit].concat(), Some("'x'"));
        assert_eq!([commits(&other), commits(&marked), commits(&other)], [false, true, false]);
        assert!(!commits(&[marked, postgres(b'Q', b"ROLLBACK\0")].concat()));
    }
}
