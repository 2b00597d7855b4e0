//! Why a node is not connected to a broker.

/// Why a node is not connected to a broker. Texts of the broker are escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The address cannot be connected to.
    #[error("the broker {broker} cannot be reached: {error}; start it, or correct its address")]
    Unreachable {
        /// Its address.
        broker: String,
        /// The system's error.
        error: String,
    },
    /// Something accepts connections and says nothing.
    #[error(
        "{broker} accepts connections but does not answer as a NATS broker; check the address, whose port is usually 4222"
    )]
    Silent {
        /// The address.
        broker: String,
    },
    /// Something else than a broker answers.
    #[error("{broker} is {found}, not a NATS broker; check the address, whose port is usually 4222")]
    NotNats {
        /// The address.
        broker: String,
        /// What it is.
        found: &'static str,
    },
    /// The broker requires other credentials.
    #[error(
        "the broker {broker} refuses the credentials; check the user and password, the token or the credentials file"
    )]
    Refused {
        /// Its address.
        broker: String,
    },
    /// The credentials cannot be used.
    #[error("the credentials file is invalid: {error}; use one that `nsc generate creds` wrote")]
    Credentials {
        /// What is wrong.
        error: String,
    },
    /// The broker lacks what halloo uses.
    #[error("the broker {broker} has version {version}; update it to {} or newer", crate::requirements::OLDEST)]
    TooOld {
        /// Its address.
        broker: String,
        /// Its version.
        version: String,
    },
    /// The broker accepts only tiny messages.
    #[error(
        "the broker {broker} accepts only {bytes} bytes per message; increase max_payload to {} or more",
        crate::requirements::MIN_PAYLOAD
    )]
    SmallPayload {
        /// Its address.
        broker: String,
        /// What it accepts.
        bytes: usize,
    },
    /// The account lacks a permission.
    #[error(
        "the broker {broker} does not permit what a node needs ({detail}); allow the account to publish and subscribe to {subjects} and _INBOX.>"
    )]
    Permission {
        /// Its address.
        broker: String,
        /// What the broker said.
        detail: String,
        /// The subjects of the cluster.
        subjects: String,
    },
    /// An established connection ended.
    #[error("the connection to the broker {broker} was lost ({detail})")]
    Lost {
        /// Its address.
        broker: String,
        /// How.
        detail: String,
    },
}
