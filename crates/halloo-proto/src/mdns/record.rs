//! Questions and resource records.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Name;

/// The type of a record, or what a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

impl RecordType {
    /// An IPv4 address.
    pub const A: RecordType = RecordType(1);
    /// The name of a service.
    pub const PTR: RecordType = RecordType(12);
    /// Properties of a service.
    pub const TXT: RecordType = RecordType(16);
    /// An IPv6 address.
    pub const AAAA: RecordType = RecordType(28);
    /// The host and the port of a service.
    pub const SRV: RecordType = RecordType(33);
    /// The types that exist of a name.
    pub const NSEC: RecordType = RecordType(47);
    /// Every type; only in questions.
    pub const ANY: RecordType = RecordType(255);
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name that the question is about.
    pub name: Name,
    /// The type that is asked for.
    pub record_type: RecordType,
    /// Whether a unicast response is preferred (RFC 6762 section 5.4).
    pub unicast_response: bool,
}

/// A resource record of the class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name that the record is about.
    pub name: Name,
    /// The content.
    pub data: Data,
    /// How long the record is valid, in seconds; 0 for a goodbye.
    pub ttl: u32,
    /// Whether the record replaces earlier ones of its name and type (RFC 6762 section 10.2).
    pub cache_flush: bool,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Another name.
    Ptr(Name),
    /// Where a service is.
    Srv {
        /// Lower ones are preferred.
        priority: u16,
        /// The share among those of the same priority.
        weight: u16,
        /// The TCP or UDP port.
        port: u16,
        /// The name of the host.
        target: Name,
    },
    /// The strings of a TXT record, each after its length.
    Txt(Box<[u8]>),
    /// The types that exist of this name.
    Nsec(Name, Vec<RecordType>),
    /// A type whose content is not used.
    Other(RecordType),
}

impl Data {
    /// Returns the type.
    pub fn record_type(&self) -> RecordType {
        match self {
            Data::A(_) => RecordType::A,
            Data::Aaaa(_) => RecordType::AAAA,
            Data::Ptr(_) => RecordType::PTR,
            Data::Srv { .. } => RecordType::SRV,
            Data::Txt(_) => RecordType::TXT,
            Data::Nsec(..) => RecordType::NSEC,
            Data::Other(other) => *other,
        }
    }

    /// Returns the address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Data::A(ip) => Some((*ip).into()),
            Data::Aaaa(ip) => Some((*ip).into()),
            _ => None,
        }
    }

    /// Returns the bytes by which simultaneous probes are compared (RFC 6762 section 8.2): names are not compressed. They
    /// are empty for a type that is not probed for.
    pub(super) fn to_wire(&self) -> Vec<u8> {
        match self {
            Data::A(ip) => ip.octets().into(),
            Data::Aaaa(ip) => ip.octets().into(),
            Data::Ptr(name) => name.to_wire().collect(),
            Data::Srv { priority, weight, port, target } => {
                let numbers = [priority, weight, port].into_iter().flat_map(|number| number.to_be_bytes());
                numbers.chain(target.to_wire()).collect()
            }
            Data::Txt(strings) => strings.to_vec(),
            Data::Nsec(..) | Data::Other(_) => Vec::new(),
        }
    }
}

impl From<IpAddr> for Data {
    fn from(ip: IpAddr) -> Data {
        match ip {
            IpAddr::V4(ip) => Data::A(ip),
            IpAddr::V6(ip) => Data::Aaaa(ip),
        }
    }
}
