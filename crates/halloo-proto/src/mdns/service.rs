//! The description of the service to publish.

use super::Name;

/// Maximum bytes of the properties of a service together; more does not fit into a packet with the rest.
const MAX_TXT_BYTES: usize = 4096;

/// The service to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The type and the domain, such as `_halloo._tcp.local`.
    pub service_type: String,
    /// The name for people; at most 56 bytes, which leaves room for the number that is appended if it is in use.
    pub instance: String,
    /// The first label of the host name, with the same limit.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The properties. Each has at most 254 bytes in total, and all together have at most 4,096.
    pub properties: Vec<(String, String)>,
}

/// Why a service cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidService {
    /// A name is empty or too long.
    #[error("the name of the service or of its host is empty or too long; choose one of at most 56 bytes")]
    Name,
    /// A property has no key, or one that contains `=` or is not ASCII, or the properties are too long.
    #[error("a property has an invalid key or is too long; choose an ASCII key without '=', and a shorter value")]
    Property,
}

/// Returns properties as the content of a TXT record (RFC 6763 section 6.1).
///
/// # Errors
/// [`InvalidService::Property`].
pub(super) fn txt(properties: &[(String, String)]) -> Result<Box<[u8]>, InvalidService> {
    let mut txt = Vec::new();
    for (key, value) in properties {
        // A key is of printable ASCII characters (RFC 6763 section 6.4).
        if key.is_empty() || key.bytes().any(|byte| byte == b'=' || !(b' '..=b'~').contains(&byte)) {
            return Err(InvalidService::Property);
        }
        let string = format!("{key}={value}");
        txt.push(u8::try_from(string.len()).map_err(|_| InvalidService::Property)?);
        txt.extend_from_slice(string.as_bytes());
    }
    if txt.is_empty() {
        txt.push(0);
    }
    if txt.len() > MAX_TXT_BYTES { Err(InvalidService::Property) } else { Ok(txt.into()) }
}

/// A name that is changed while it is in use on the network: `den`, `den (2)`; a host `den`, `den-2` (RFC 6762 section 9).
#[derive(Clone, Debug)]
pub(super) struct UniqueName {
    base: String,
    parent: Name,
    is_host: bool,
    number: u32,
    name: Name,
}

impl UniqueName {
    /// # Errors
    /// [`InvalidService::Name`].
    pub(super) fn new(base: &str, parent: Name, is_host: bool) -> Result<UniqueName, InvalidService> {
        let name = Some(base).filter(|base| base.len() <= 56).and_then(|base| parent.child(base.as_bytes()));
        let name = name.ok_or(InvalidService::Name)?;
        Ok(UniqueName { base: base.into(), parent, is_host, number: 1, name })
    }

    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    /// Changes the name to the next one. The number begins again with 2 when it no longer fits.
    pub(super) fn rename(&mut self) {
        self.number = if self.number < 9999 { self.number + 1 } else { 2 };
        let label = match self.is_host {
            true => format!("{}-{}", self.base, self.number),
            false => format!("{} ({})", self.base, self.number),
        };
        if let Some(name) = self.parent.child(label.as_bytes()) {
            self.name = name;
        }
    }
}
