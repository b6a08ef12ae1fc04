//! LISTEN and NOTIFY, on a connection of their own and outside business transactions.

use crate::backend::run;
use crate::channel::Channel;
use crate::postgres::{Terms, code};
use crate::values::Values;
use sqlx::postgres::{PgConnection, PgListener, PgPoolOptions};
use sqlx::{Executor, PgPool, Postgres, Row};
use std::{future::pending, sync::Arc, time::Duration};

/// A connection that was silent for so long is asked whether it still lives: one that a firewall cut says nothing by itself.
const SILENCE: Duration = Duration::from_secs(60);
/// How long it has for its answer.
const ANSWER: Duration = Duration::from_secs(10);
/// A setting that is given when the connection is opened, and only arrives where no pooler is in between.
const MARK: &str = "outbox.listener";
/// What a pooler says to a setting it does not know.
const REFUSED: &str = "08P01";

pub(crate) async fn announce(conn: &mut PgConnection, channel: &Channel, terms: Terms<'_>) -> sqlx::Result<()> {
    let values = Values::default().text("channel", &*channel.name).text("speaker", &*channel.speaker);
    run::<Postgres>(conn, &terms.own.announce, &values, terms.now).await.map(drop)
}

/// Ends when the connection is lost.
pub(crate) async fn listen(pool: &PgPool, channel: &Channel, wake: Arc<dyn Fn() + Send + Sync>) -> sqlx::Result<()> {
    let Some(mut listener) = connect(pool, channel).await? else {
        tracing::warn!(
            "this process connects through a pooler, where notifications would reach the transactions of others: it does not listen, and \
             polls instead; connect directly, or call `.notify(false)` on the outbox builder"
        );
        return pending().await;
    };
    listener.listen(&channel.name).await?;
    // What was announced before is not heard any more.
    wake();
    loop {
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(heard))) => {
                if heard.payload() != &*channel.speaker {
                    wake();
                }
            }
            Ok(Ok(None)) => return Err(lost("the server closed the connection")),
            Ok(Err(error)) => return Err(error),
            Err(_silence) => match tokio::time::timeout(ANSWER, listener.execute("SELECT 1")).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(lost("the connection does not answer any more")),
            },
        }
    }
}

/// A connection to listen on; `None` behind a pooler. There, a LISTEN would stay with a connection of the server that others use after us,
/// and what it hears would come to them in the middle of their transactions.
async fn connect(pool: &PgPool, channel: &Channel) -> sqlx::Result<Option<PgListener>> {
    let options = (*pool.connect_options()).clone().options([(MARK, &*channel.speaker)]);
    let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).connect_lazy_with(options);
    let mut listener = match PgListener::connect_with(&own).await {
        Err(error) if code(&error).as_deref() == Some(REFUSED) => return Ok(None),
        connected => connected?,
    };
    listener.eager_reconnect(false);
    // A text without parameters, so that no statement is left behind in a pooler either.
    let mark: Option<String> = listener.fetch_one("SELECT current_setting('outbox.listener', true)").await?.try_get(0)?;
    Ok((mark.as_deref() == Some(&*channel.speaker)).then_some(listener))
}

fn lost(why: &str) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::ConnectionAborted, why))
}
