//! `outbox serve`.

use super::{Access, Dashboard, router};
use crate::args::{Global, Serve};
use crate::exit::Exit;
use crate::telemetry::{self, Health, Sampled};
use crate::{databases, output};
use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) async fn serve(global: &Global, args: &Serve) -> anyhow::Result<Exit> {
    telemetry::log();
    let access = access(args)?;
    let metrics = telemetry::record()?;
    let databases = databases::connect(global).await?;
    let sampled = Sampled::default();
    let mut dashboard = Dashboard::new(access);
    if matches!(dashboard.access, Access::Trusted) {
        dashboard = dashboard.local_only();
    }
    if args.read_only {
        dashboard = dashboard.read_only();
    }
    for database in databases {
        dashboard = dashboard.database(&*database.name, database.console.clone());
        sampled.add(database);
    }
    telemetry::keep_fresh(&metrics, sampled);
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("listening on {}", args.listen))?;
    let guarded = telemetry::guarded(telemetry::router(metrics, Health::always()), &dashboard.access);
    output::line(format!("the dashboard is at http://{}/", listener.local_addr()?))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopped = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    axum::serve(listener, router(dashboard).merge(guarded)).with_graceful_shutdown(stopped).await.context("serving")?;
    Ok(Exit::Ok)
}

/// Who may look. Whatever others can reach must ask who they are.
fn access(args: &Serve) -> anyhow::Result<Access> {
    let access = match (&args.token, &args.basic_auth) {
        (Some(_), Some(_)) => bail!("`--token` and `--basic-auth` were both given; leave out one of them"),
        (Some(token), None) => Access::Token(token.clone()),
        (None, Some(both)) => {
            let (user, password) = both.split_once(':').context("`--basic-auth` is USER:PASSWORD")?;
            Access::Basic { user: user.to_owned(), password: password.to_owned() }
        }
        (None, None) if args.listen.ip().is_loopback() => Access::Trusted,
        (None, None) => bail!(
            "{} can be reached from other machines, where anybody could redrive and discard: say `--token` (or OUTBOX_TOKEN) or `--basic-auth`, or \
             listen on 127.0.0.1",
            args.listen
        ),
    };
    if let Err(rule) = access.check() {
        bail!("{rule}");
    }
    Ok(access)
}
