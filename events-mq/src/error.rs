//! What can go wrong for whoever connects to a broker. No error holds a password or a token.

/// Why a transport or a subscription cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is malformed. It is not repeated here, because it may hold a password.
    #[error("the address of {broker} cannot be used: {reason}; it should look like `{example}`")]
    Address {
        /// The broker.
        broker: &'static str,
        /// What is wrong with it.
        reason: String,
        /// One that would do.
        example: &'static str,
    },
    /// Nobody answers there.
    #[error("{broker} at {address} cannot be reached: {reason}")]
    Unreachable {
        /// The broker.
        broker: &'static str,
        /// Where, without credentials.
        address: String,
        /// What the network says.
        reason: String,
    },
    /// The broker does not know these credentials.
    #[error("{broker} at {address} refuses the credentials; check the user and the password, or the token")]
    Credentials {
        /// The broker.
        broker: &'static str,
        /// Where, without credentials.
        address: String,
    },
    /// The broker is there, but what is needed at it is not.
    #[error("{0}")]
    Topology(String),
    /// An option has a value that cannot work.
    #[error("{option} is {value}, but {rule}")]
    InvalidOption {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
}
