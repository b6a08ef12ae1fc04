//! The stream: made, completed or looked at.

use super::{NAME, builder::Settings, link::Link, subject};
use crate::{Topology, failure::Failure};
use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::{ErrorCode, stream::Config};

/// Makes sure that the stream is there and takes events.
pub(super) async fn prepare(link: &Link, settings: &Settings) -> Result<(), Failure> {
    prepare_for(link, settings, &settings.subjects.all()).await
}

/// Makes sure that the stream is there and takes what is published to `subject`, or to some of it.
pub(super) async fn prepare_for(link: &Link, settings: &Settings, subject: &str) -> Result<(), Failure> {
    link.revive().await;
    match settings.topology {
        Topology::Create => create(link, settings).await,
        Topology::Check => check(link, settings, subject).await,
    }
}

/// Why nobody stores what is published to `subject`; for as long as [`Topology::Check`] makes nothing.
pub(super) async fn explain(link: &Link, settings: &Settings, subject: &str) -> Failure {
    match check(link, settings, subject).await {
        // It is there: it was not yet a moment ago, or has no leader in its cluster.
        Ok(()) => link.away(&format!("stream `{}` does not answer", settings.stream)),
        Err(failure) => failure,
    }
}

async fn check(link: &Link, settings: &Settings, wanted: &str) -> Result<(), Failure> {
    let stream = &settings.stream;
    let Some(config) = look(link, stream).await? else {
        return Err(Failure::hopeless(format!(
            "{NAME} at {} has no stream `{stream}`; make it, or choose `Topology::Create`",
            link.address()
        )));
    };
    if config.subjects.iter().any(|subject| subject::overlap(subject, wanted)) {
        return Ok(());
    }
    Err(Failure::hopeless(format!(
        "stream `{stream}` of {NAME} at {} does not store subject `{wanted}` (only {}); add it, or choose `Topology::Create`",
        link.address(),
        list(&config.subjects)
    )))
}

async fn create(link: &Link, settings: &Settings) -> Result<(), Failure> {
    let (stream, wanted) = (&settings.stream, settings.subjects.all());
    let config = match look(link, stream).await? {
        Some(config) => config,
        None => match link.ask(link.jetstream().create_stream(new_stream(settings))).await? {
            Ok(_) => return Ok(()),
            // Another process was faster, and made it with other limits.
            Err(error) if is_taken(&error) => match look(link, stream).await? {
                Some(config) => config,
                None => return Err(Failure::passing(format!("stream `{stream}` disappeared while it was looked at"))),
            },
            Err(error) => return Err(failed(link, stream, &error)),
        },
    };
    if config.subjects.iter().any(|subject| subject::covers(subject, &wanted)) {
        return Ok(());
    }
    // Subjects of one stream must not overlap either.
    let mut subjects: Vec<_> = config.subjects.iter().filter(|subject| !subject::covers(&wanted, subject)).cloned().collect();
    subjects.push(wanted);
    let config = Config { subjects, ..config };
    match link.ask(link.jetstream().update_stream(&config)).await? {
        Ok(_) => Ok(()),
        Err(error) => Err(failed(link, stream, &error)),
    }
}

fn new_stream(settings: &Settings) -> Config {
    Config {
        name: settings.stream.clone(),
        description: Some("domain events".to_owned()),
        subjects: vec![settings.subjects.all()],
        duplicate_window: settings.duplicate_window,
        max_age: settings.max_age,
        num_replicas: settings.replicas,
        ..Config::default()
    }
}

/// The stream's configuration, if it is there.
async fn look(link: &Link, stream: &str) -> Result<Option<Config>, Failure> {
    match link.ask(link.jetstream().get_stream(stream)).await? {
        Ok(stream) => Ok(Some(stream.cached_info().config.clone())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(match error.kind() {
            GetStreamErrorKind::JetStream(said) if said.code() < 500 => {
                Failure::hopeless(format!("stream `{stream}` of {NAME} at {} cannot be used: {error}", link.address()))
            }
            _ => link.away(&format!("JetStream does not answer; is it enabled? {error}")),
        }),
    }
}

fn failed(link: &Link, stream: &str, error: &CreateStreamError) -> Failure {
    match error.kind() {
        CreateStreamErrorKind::JetStream(said) if said.code() < 500 => Failure::hopeless(format!(
            "stream `{stream}` of {NAME} at {} cannot be made as needed: {error}; make it by hand and choose `Topology::Check`",
            link.address()
        )),
        _ => link.away(&format!("stream `{stream}` cannot be made: {error}")),
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(said) if said.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_taken(error: &CreateStreamError) -> bool {
    matches!(error.kind(), CreateStreamErrorKind::JetStream(said) if said.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

fn list(subjects: &[String]) -> String {
    subjects.iter().map(|subject| format!("`{subject}`")).collect::<Vec<_>>().join(", ")
}
