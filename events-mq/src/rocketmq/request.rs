//! What is asked of a name server or a broker, and what they answer.

use bytes::Bytes;
use rocketmq_protocol::protocol::remoting_command::RemotingCommand;

/// Requests, by their numbers in the protocol.
pub(super) mod code {
    pub(in super::super) const PULL_MESSAGE: i32 = 11;
    pub(in super::super) const QUERY_CONSUMER_OFFSET: i32 = 14;
    pub(in super::super) const UPDATE_CONSUMER_OFFSET: i32 = 15;
    pub(in super::super) const CREATE_TOPIC: i32 = 17;
    pub(in super::super) const MAX_OFFSET: i32 = 30;
    pub(in super::super) const MIN_OFFSET: i32 = 31;
    pub(in super::super) const HEARTBEAT: i32 = 34;
    pub(in super::super) const UNREGISTER: i32 = 35;
    pub(in super::super) const SEND_BACK: i32 = 36;
    pub(in super::super) const END_TRANSACTION: i32 = 37;
    pub(in super::super) const CONSUMERS_OF_GROUP: i32 = 38;
    pub(in super::super) const ROUTE: i32 = 105;
    pub(in super::super) const CLUSTER: i32 = 106;
    pub(in super::super) const SEND_MESSAGE: i32 = 310;
}

/// Answers, by their numbers.
pub(super) mod answer {
    pub(in super::super) const SUCCESS: i32 = 0;
    pub(in super::super) const SYSTEM_BUSY: i32 = 2;
    pub(in super::super) const FLUSH_DISK_TIMEOUT: i32 = 10;
    pub(in super::super) const SLAVE_NOT_AVAILABLE: i32 = 11;
    pub(in super::super) const FLUSH_SLAVE_TIMEOUT: i32 = 12;
    pub(in super::super) const MESSAGE_ILLEGAL: i32 = 13;
    pub(in super::super) const SERVICE_NOT_AVAILABLE: i32 = 14;
    pub(in super::super) const NO_PERMISSION: i32 = 16;
    pub(in super::super) const TOPIC_NOT_EXIST: i32 = 17;
    pub(in super::super) const PULL_NOT_FOUND: i32 = 19;
    pub(in super::super) const PULL_RETRY_IMMEDIATELY: i32 = 20;
    pub(in super::super) const PULL_OFFSET_MOVED: i32 = 21;
    pub(in super::super) const QUERY_NOT_FOUND: i32 = 22;
}

/// Made of fields with their names, as the protocol has them.
#[derive(Clone, Debug)]
pub(super) struct Request {
    code: i32,
    fields: Vec<(&'static str, String)>,
    body: Option<Bytes>,
}

impl Request {
    pub(super) fn new(code: i32) -> Self {
        Self { code, fields: Vec::new(), body: None }
    }

    #[allow(clippy::needless_pass_by_value, reason = "numbers and texts alike, without a sign before each")]
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    pub(super) fn code(&self) -> i32 {
        self.code
    }

    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(super) fn command(self) -> RemotingCommand {
        let mut command = RemotingCommand::create_remoting_command(self.code);
        command.ensure_ext_fields_initialized();
        for (name, value) in self.fields {
            command.add_ext_field(name, value);
        }
        match self.body {
            Some(body) => command.set_body(body),
            None => command,
        }
    }
}

/// What came back.
pub(super) struct Answer(RemotingCommand);

impl Answer {
    pub(super) fn new(command: RemotingCommand) -> Self {
        Self(command)
    }

    pub(super) fn code(&self) -> i32 {
        self.0.code()
    }

    pub(super) fn is_success(&self) -> bool {
        self.code() == answer::SUCCESS
    }

    /// What the server says about it, for people.
    pub(super) fn said(&self) -> String {
        match self.0.remark() {
            Some(remark) => format!("{remark} (code {})", self.code()),
            None => format!("code {}", self.code()),
        }
    }

    pub(super) fn number(&self, field: &str) -> Option<i64> {
        self.text(field)?.parse().ok()
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        let fields = self.0.ext_fields()?;
        Some(fields.iter().find(|(name, _)| name.as_str() == field)?.1.as_str())
    }

    pub(super) fn body(&self) -> Bytes {
        self.0.body().cloned().unwrap_or_default()
    }
}
