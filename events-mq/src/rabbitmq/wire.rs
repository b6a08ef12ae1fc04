//! One connection, from the handshake to its end. It does not come back: [`Link`](super::link::Link) makes the next one.

use super::{NAME, builder::Settings};
use crate::{ConnectError, failure::Failure};
use futures_util::StreamExt;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::tcp::AsyncTcpStream;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind, Event, options::ConfirmSelectOptions};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How often both sides say that they are there, in seconds. After twice as long without a word the connection is given up.
const HEARTBEAT: u16 = 10;
/// How often we look whether the connection has ended without saying so.
const LOOK: Duration = Duration::from_secs(1);
/// How many channels are kept for the next batch.
const IDLE_CHANNELS: usize = 8;

/// What a connection is for. RabbitMQ stops to read from connections that publish when it runs short of memory or disk, and consumers
/// must go on then.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Publisher,
    Consumer,
}

pub(super) struct Wire {
    connection: Connection,
    socket: Arc<OnceLock<TcpStream>>,
    state: Arc<watch::Sender<State>>,
    /// Channels that confirm, with nothing on its way.
    idle: Mutex<Vec<Channel>>,
    /// Channels that wait for the server to take something again.
    aside: Mutex<Vec<Channel>>,
    patience: Duration,
    address: String,
}

/// How a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// The server takes nothing, and says why.
    Blocked(String),
    Ended(String),
}

impl Wire {
    /// Connects to the first of the servers that lets us in.
    pub(super) async fn connect(settings: &Settings, role: Role) -> Result<Self, ConnectError> {
        let mut reasons = Vec::new();
        for (host, port) in &settings.address.hosts {
            let socket = Arc::new(OnceLock::new());
            let attempt = connect_to(settings, role, host, *port, Arc::clone(&socket));
            let why = match tokio::time::timeout(settings.connect_timeout, attempt).await {
                Ok(Ok(connection)) => return Ok(Self::over(connection, socket, settings)),
                Ok(Err(error)) => match refusal(settings, &error) {
                    Some(refusal) => return Err(refusal),
                    None => error.to_string(),
                },
                Err(_) => format!("it did not answer within {:?}", settings.connect_timeout),
            };
            cut(&socket);
            reasons.push(if settings.address.hosts.len() > 1 { format!("{host}:{port}: {why}") } else { why });
        }
        Err(ConnectError::Unreachable { broker: NAME, address: settings.address_text.clone(), reason: reasons.join("; ") })
    }

    fn over(connection: Connection, socket: Arc<OnceLock<TcpStream>>, settings: &Settings) -> Self {
        let state = Arc::new(watch::Sender::new(State::Open));
        let (mut events, status) = (Box::pin(connection.events_listener()), connection.status().clone());
        tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                let mut why = "it was closed".to_owned();
                // An error may be that of a channel only, and an end may come without an error.
                while status.connected() && !is_over(&state) {
                    match tokio::time::timeout(LOOK, events.next()).await {
                        Ok(Some(Event::ConnectionBlocked(reason))) => {
                            tracing::warn!(reason, "{NAME} takes nothing for now");
                            enter(&state, State::Blocked(reason));
                        }
                        Ok(Some(Event::ConnectionUnblocked)) => enter(&state, State::Open),
                        Ok(Some(Event::Error(error))) => why = error.to_string(),
                        Ok(Some(_)) | Err(_) => {}
                        Ok(None) => break,
                    }
                }
                enter(&state, State::Ended(why));
            }
        });
        let (patience, address) = (settings.ack_timeout, settings.address_text.clone());
        Self { connection, socket, state, idle: Mutex::default(), aside: Mutex::default(), patience, address }
    }

    /// Waits until the connection has ended, and returns why.
    pub(super) async fn ended(&self) -> String {
        let mut state = self.state();
        match state.wait_for(|state| matches!(state, State::Ended(_))).await.as_deref() {
            Ok(State::Ended(why)) => why.clone(),
            _ => "it was closed".to_owned(),
        }
    }

    /// How it is now, and from now on.
    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected() && !is_over(&self.state)
    }

    /// How large a frame may be, in bytes; all headers of an event must fit into one.
    pub(super) fn frame_max(&self) -> usize {
        usize::try_from(self.connection.configuration().frame_max()).unwrap_or(usize::MAX)
    }

    /// How long an answer may take.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Opens a channel.
    pub(super) async fn open_channel(&self) -> Result<Channel, Failure> {
        match tokio::time::timeout(self.patience, self.connection.create_channel()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(self.useless(&error)),
            Err(_) => Err(self.hangs("open a channel")),
        }
    }

    /// A channel that confirms what is published on it; for one batch alone.
    pub(super) async fn confirming_channel(&self) -> Result<Channel, Failure> {
        let idle = self.idle().pop();
        if let Some(channel) = idle
            && channel.status().connected()
        {
            return Ok(channel);
        }
        let channel = self.open_channel().await?;
        match tokio::time::timeout(self.patience, channel.confirm_select(ConfirmSelectOptions::default())).await {
            Ok(Ok(())) => Ok(channel),
            Ok(Err(error)) => Err(self.useless(&error)),
            Err(_) => Err(self.hangs("open a channel")),
        }
    }

    /// Gives back a channel with nothing on its way.
    pub(super) fn give_back(&self, channel: Channel) {
        let mut idle = self.idle();
        if idle.len() < IDLE_CHANNELS && channel.status().connected() {
            idle.push(channel);
        }
    }

    /// Keeps a channel on which something is still on its way: closed now, it would end the connection when that arrives.
    pub(super) fn set_aside(&self, channel: Channel) {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
    }

    /// The server does not answer: whatever waits in memory to be written to it is dropped with the connection.
    pub(super) fn hangs(&self, what: &str) -> Failure {
        let why = format!("it did not {what} within {:?}", self.patience);
        self.end(&why);
        self.away(&why)
    }

    /// A connection without channels is none.
    fn useless(&self, error: &lapin::Error) -> Failure {
        let why = format!("no channel can be opened: {error}");
        self.end(&why);
        self.away(&why)
    }

    pub(super) fn away(&self, what: &str) -> Failure {
        Failure::away(format!("{NAME} at {} is away: {what}", self.address))
    }

    /// Ends it without a goodbye: what is not written yet never will be.
    pub(super) fn cut(&self) {
        self.end("it was cut");
    }

    /// Says so at once: the library may believe for long that a connection is there.
    fn end(&self, why: &str) {
        cut(&self.socket);
        enter(&self.state, State::Ended(why.to_owned()));
    }

    /// Ends it with a goodbye if the server still listens, without one otherwise.
    pub(super) async fn close(&self) {
        let goodbye = self.connection.close(200, "goodbye".into());
        if !matches!(tokio::time::timeout(self.patience, goodbye).await, Ok(Ok(()))) {
            self.cut();
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect_to(settings: &Settings, role: Role, host: &str, port: u16, socket: Arc<OnceLock<TcpStream>>) -> lapin::Result<Connection> {
    let address = &settings.address;
    let uri = AMQPUri {
        scheme: if settings.connector.is_some() { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: address.user.clone().unwrap_or_else(|| "guest".to_owned()),
                password: address.password.clone().unwrap_or_else(|| "guest".to_owned()),
            },
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
        },
        vhost: address.path.clone().filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned()),
        query: AMQPQueryString { heartbeat: Some(HEARTBEAT), ..AMQPQueryString::default() },
    };
    let name = format!("{} ({})", settings.name, if matches!(role, Role::Publisher) { "publisher" } else { "consumer" });
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let (connector, patience) = (settings.connector.clone(), settings.connect_timeout);
    let runtime = lapin::runtime::default_runtime()?;
    let own_runtime = runtime.clone();
    let connect = async move |uri: AMQPUri, _| {
        let host = uri.authority.host.as_str();
        let opening = async {
            let addresses = own_runtime.to_socket_addrs((host.to_owned(), uri.authority.port));
            let stream = AsyncTcpStream::connect(&own_runtime, addresses).await?;
            if let AsyncTcpStream::Plain(plain) = &stream {
                // Taken by nobody before: every connection has a place of its own.
                let _ = socket.set(handle_on(plain.get_ref())?);
            }
            match &connector {
                Some(connector) => stream.into_rustls(connector, host).await,
                None => Ok(stream),
            }
        };
        // The library waits for this on a thread of its own, which must end although nobody waits for it any more.
        let opened = tokio::time::timeout(patience, opening).await;
        Ok(opened.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))?)
    };
    Connection::connector(uri, runtime, connect, properties).await
}

/// A second handle on a socket, to end it by.
#[cfg(unix)]
fn handle_on(socket: &impl std::os::fd::AsFd) -> std::io::Result<TcpStream> {
    Ok(socket.as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn handle_on(socket: &impl std::os::windows::io::AsSocket) -> std::io::Result<TcpStream> {
    Ok(socket.as_socket().try_clone_to_owned()?.into())
}

/// An end is final.
fn enter(state: &watch::Sender<State>, next: State) {
    state.send_if_modified(|state| {
        let goes_on = !matches!(state, State::Ended(_));
        if goes_on {
            *state = next;
        }
        goes_on
    });
}

fn is_over(state: &watch::Sender<State>) -> bool {
    matches!(*state.borrow(), State::Ended(_))
}

fn cut(socket: &OnceLock<TcpStream>) {
    if let Some(socket) = socket.get() {
        // It is an error if it has ended by itself.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

/// What the server has against us; `None` if it is only away.
fn refusal(settings: &Settings, error: &lapin::Error) -> Option<ConnectError> {
    let ErrorKind::ProtocolError(error) = error.kind() else { return None };
    let (said, address) = (error.get_message().to_string(), settings.address_text.clone());
    match error.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) if !said.contains("vhost") => {
            Some(ConnectError::Credentials { broker: NAME, address })
        }
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
            Some(ConnectError::Topology(format!(
                "{NAME} at {address} does not let this user in: {said}; make the virtual host, grant it, or name another in the address"
            )))
        }
        _ => None,
    }
}
