//! One connection: made, signed in, and noticed when it ends.

use super::{NAME, builder::Settings, said};
use crate::ConnectError;
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo, ServerError, Value};
use std::{fmt, time::Duration};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::pki_types::ServerName;

/// A connection. Dropped, it is closed, whatever is under way on it.
pub(super) struct Wire {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Unconnected {
    /// The server does not know these credentials.
    Credentials,
    /// Anything else.
    Other(String),
}

impl Wire {
    /// Connects; whoever asks on this connection waits for an answer up to `patience`.
    pub(super) async fn connect(settings: &Settings, patience: Duration) -> Result<Self, Unconnected> {
        match tokio::time::timeout(settings.connect_timeout, Self::dial(settings, patience)).await {
            Ok(dialled) => dialled,
            Err(_) => Err(Unconnected::Other(format!("it did not answer within {:?}", settings.connect_timeout))),
        }
    }

    async fn dial(settings: &Settings, patience: Duration) -> Result<Self, Unconnected> {
        let (host, port) = (settings.host.as_str(), settings.port);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, port)).await.map_err(|error| other(&error))?;
        // An error means that the connection is gone already, which shows soon enough.
        let _ = stream.set_nodelay(true);
        let wire = match &settings.connector {
            None => Self::over(stream, patience).await?,
            Some(connector) => {
                let name = ServerName::try_from(bare.to_owned()).map_err(|error| other(&error))?;
                let stream = connector.connect(name, stream).await.map_err(|error| other(&error))?;
                Self::over(stream, patience).await?
            }
        };
        wire.sign_in(settings).await?;
        Ok(wire)
    }

    async fn over<S>(stream: S, patience: Duration) -> Result<Self, Unconnected>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        // We sign in ourselves: the library would call every refusal a wrong password.
        let plain = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(patience));
        let made = MultiplexedConnection::new_with_config(&plain, stream, config).await;
        let (connection, driver) = made.map_err(|error| other(&error))?;
        Ok(Self { connection, driver: tokio::spawn(driver) })
    }

    async fn sign_in(&self, settings: &Settings) -> Result<(), Unconnected> {
        let mut pipeline = Pipeline::new();
        let address = &settings.address;
        if let Some(password) = &address.password {
            pipeline.cmd("AUTH");
            if let Some(user) = address.user.as_deref().filter(|user| !user.is_empty()) {
                pipeline.arg(user);
            }
            pipeline.arg(password);
        }
        if settings.database != 0 {
            pipeline.cmd("SELECT").arg(settings.database);
        }
        pipeline.cmd("PING");
        let replies = self.connection().send_packed_commands(&pipeline, 0, pipeline.len()).await.map_err(|error| other(&error))?;
        for reply in replies {
            if let Value::ServerError(error) = reply
                // Who may not PING may still do all that matters.
                && error.code() != "NOPERM"
            {
                return Err(refusal(&error));
            }
        }
        Ok(())
    }

    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Waits until it has ended.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn ended(&mut self) {
        // It is aborted only by ourselves.
        let _ = (&mut self.driver).await;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Unconnected {
    /// For who starts.
    pub(super) fn for_start(self, address: &str) -> ConnectError {
        let address = address.to_owned();
        match self {
            Self::Credentials => ConnectError::Credentials { broker: NAME, address },
            Self::Other(reason) => ConnectError::Unreachable { broker: NAME, address, reason },
        }
    }
}

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials => f.write_str("it refuses the credentials; check the user and the password"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

fn refusal(error: &ServerError) -> Unconnected {
    let said = said::words(error);
    match error.code() {
        "WRONGPASS" | "NOAUTH" => Unconnected::Credentials,
        _ if said.contains("AUTH") && said.contains("password") => Unconnected::Credentials,
        _ => Unconnected::Other(said),
    }
}

/// With its causes: the library's own words are few.
fn other(error: &(dyn std::error::Error + 'static)) -> Unconnected {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    Unconnected::Other(text)
}
