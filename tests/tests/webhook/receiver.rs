//! A receiver that speaks just enough HTTP, and answers as it is told.

use events_core::test_kit::Seen;
use events_mq::webhook::HeaderMap;
use events_tests::Gate;
use std::collections::HashMap;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Such as `POST /hooks HTTP/1.1`.
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What it does about a request.
pub(super) enum Answer {
    /// Says this, and goes on with the connection.
    Says(String),
    /// The same, when the gate is open.
    SaysAt(Gate, String),
    /// Says nothing, and keeps the connection.
    Nothing,
    /// Closes the connection.
    Hangup,
    /// Says this, and then a byte every now and then, for ever.
    Trickle(&'static str),
    /// Says this, and then as much as there is room for, for ever.
    Flood(&'static str),
}

/// A status with a body.
pub(super) fn says(status: u16, body: &str) -> Answer {
    answers(status, "", body)
}

/// The same with headers, each ended by a line break.
pub(super) fn answers(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Says(format!("HTTP/1.1 {status} Whatever\r\n{headers}content-length: {length}\r\n\r\n{body}"))
}

pub(super) struct Receiver {
    pub(super) port: u16,
    pub(super) requests: Seen<Request>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    closed: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
    flooded: AtomicUsize,
}

impl Receiver {
    pub(super) async fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(None, answer).await
    }

    pub(super) async fn start_with_tls(tls: TlsAcceptor, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(Some(tls), answer).await
    }

    async fn listen(tls: Option<TlsAcceptor>, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, counts, answer) = (Seen::new(), Arc::<Counts>::default(), Arc::new(answer));
        let (seen, counted) = (requests.clone(), Arc::clone(&counts));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, SeqCst);
                let (tls, answer, seen, counts) = (tls.clone(), Arc::clone(&answer), seen.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    converse(stream, tls, &*answer, &seen, &counts).await;
                    counts.closed.fetch_add(1, SeqCst);
                });
            }
        });
        Self { port, requests, counts }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks", self.port)
    }

    pub(super) fn connections(&self) -> usize {
        self.counts.connections.load(SeqCst)
    }

    /// How many connections are over.
    pub(super) fn closed(&self) -> usize {
        self.counts.closed.load(SeqCst)
    }

    pub(super) fn under_way(&self) -> usize {
        self.counts.under_way.load(SeqCst)
    }

    /// How many requests were under way at once, at most.
    pub(super) fn most_under_way(&self) -> usize {
        self.counts.most.load(SeqCst)
    }

    /// How many bytes a flood has come to.
    pub(super) fn flooded(&self) -> usize {
        self.counts.flooded.load(SeqCst)
    }
}

async fn converse(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    answer: &(impl Fn(&Request) -> Answer + Send + Sync),
    seen: &Seen<Request>,
    counts: &Counts,
) {
    match tls {
        None => serve(stream, answer, seen, counts).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, answer, seen, counts).await;
            }
        }
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    answer: &(impl Fn(&Request) -> Answer + Send + Sync),
    seen: &Seen<Request>,
    counts: &Counts,
) {
    while let Some(request) = read(&mut stream).await {
        let answer = answer(&request);
        counts.most.fetch_max(counts.under_way.fetch_add(1, SeqCst) + 1, SeqCst);
        seen.push(request);
        let goes_on = match answer {
            Answer::Says(text) => say(&mut stream, counts, &text).await,
            Answer::SaysAt(gate, text) => {
                gate.pass().await;
                say(&mut stream, counts, &text).await
            }
            // The other side closes it.
            Answer::Nothing => stream.read(&mut [0]).await.is_ok_and(|read| read > 0),
            Answer::Hangup => false,
            Answer::Trickle(text) => {
                let mut more = stream.write_all(text.as_bytes()).await.is_ok();
                while more {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    more = stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok();
                }
                false
            }
            Answer::Flood(text) => {
                let mut more = stream.write_all(text.as_bytes()).await.is_ok();
                while more {
                    let written = stream.write(&[b'x'; 64 * 1024]).await.unwrap_or(0);
                    counts.flooded.fetch_add(written, SeqCst);
                    more = written > 0;
                }
                false
            }
        };
        if !goes_on {
            return;
        }
    }
}

/// Says the whole answer. The request is over before its sender can know that, and begin another one.
async fn say(stream: &mut (impl AsyncWrite + Unpin), counts: &Counts, text: &str) -> bool {
    counts.under_way.fetch_sub(1, SeqCst);
    stream.write_all(text.as_bytes()).await.is_ok() && stream.flush().await.is_ok()
}

/// The next request; `None` at the end.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).unwrap();
    let (line, rest) = head.split_once("\r\n").unwrap();
    let fields = rest.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let headers: HeaderMap = HeaderMap::try_from(&fields.collect::<HashMap<_, _>>()).unwrap();
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    assert_eq!(body.len(), length, "nobody sends a request before the last one is answered");
    Some(Request { line: line.to_owned(), headers, body })
}
