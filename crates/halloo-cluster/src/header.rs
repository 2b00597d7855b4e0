//! The header of every message on the bus.

/// The version of what nodes say to each other. Nodes with another one are reported and ignored.
pub(crate) const VERSION: u8 = 1;

/// What a message on the bus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Frames for all clients.
    All = 1,
    /// Frames for the clients in the room of the subject.
    Room = 2,
    /// Frames for the clients in several rooms.
    Rooms = 3,
    /// Frames for one client.
    Client = 4,
    /// A client is to be disconnected.
    Disconnect = 5,
    /// A node is there.
    Beat = 6,
    /// A node is there, and asks the others to say the same.
    Ask = 7,
    /// A node stops.
    Bye = 8,
}

/// Why a message has no header of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// It is shorter, or of an unknown kind.
    Invalid,
    /// A node with this version of the protocol sent it.
    Version(u8),
}

/// 24 bytes, numbers with the highest byte first: version, kind and whether the sequence begins, the number of frames (2), the
/// number of the node (4), its instance (8), order (4), sequence (4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// The sender begins to count on this subject, or begins again.
    pub(crate) first: bool,
    /// The number of frames, or 1 for a command.
    pub(crate) count: u16,
    /// The number of the sender.
    pub(crate) node: u32,
    /// Random, new at each start of a node.
    pub(crate) instance: u64,
    /// Counts the messages of a node on all subjects; wraps around.
    pub(crate) order: u32,
    /// The number of the first frame among those of the node on this subject; wraps around.
    pub(crate) sequence: u32,
}

/// The highest number of a node.
pub(crate) const MAX_NODE: u32 = (1 << 20) - 1;
/// The bit of the kind that says that the sequence begins.
const FIRST: u8 = 0x80;

impl Header {
    pub(crate) const LENGTH: usize = 24;

    /// Appends the header to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.push(self.kind as u8 | if self.first { FIRST } else { 0 });
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.node.to_be_bytes());
        out.extend_from_slice(&self.instance.to_be_bytes());
        out.extend_from_slice(&self.order.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
    }

    /// Decodes the header at the start of `bytes`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Header, HeaderFault> {
        let header: &[u8; Header::LENGTH] = bytes.first_chunk().ok_or(HeaderFault::Invalid)?;
        let &[version, kind, c0, c1, n0, n1, n2, n3, i0, i1, i2, i3, i4, i5, i6, i7, o0, o1, o2, o3, s0, s1, s2, s3] =
            header;
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        let node = u32::from_be_bytes([n0, n1, n2, n3]);
        if node == 0 || node > MAX_NODE {
            return Err(HeaderFault::Invalid);
        }
        Ok(Header {
            kind: Kind::from_byte(kind & !FIRST).ok_or(HeaderFault::Invalid)?,
            first: kind & FIRST != 0,
            count: u16::from_be_bytes([c0, c1]),
            node,
            instance: u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
            order: u32::from_be_bytes([o0, o1, o2, o3]),
            sequence: u32::from_be_bytes([s0, s1, s2, s3]),
        })
    }
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        use Kind::{All, Ask, Beat, Bye, Client, Disconnect, Room, Rooms};
        [All, Room, Rooms, Client, Disconnect, Beat, Ask, Bye].into_iter().find(|kind| *kind as u8 == byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_read_as_it_was_written() {
        let header = Header {
            kind: Kind::Rooms,
            first: true,
            count: 500,
            node: MAX_NODE,
            instance: u64::MAX - 1,
            order: 7,
            sequence: u32::MAX,
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        assert_eq!(bytes.len(), Header::LENGTH);
        assert_eq!(Header::decode(&bytes), Ok(header));
        assert_eq!(Header::decode(&bytes[..23]), Err(HeaderFault::Invalid));
        bytes[0] = 9;
        assert_eq!(Header::decode(&bytes), Err(HeaderFault::Version(9)));
        (bytes[0], bytes[1]) = (VERSION, 99);
        assert_eq!(Header::decode(&bytes), Err(HeaderFault::Invalid));
        (bytes[1], bytes[4]) = (1, 0xff);
        assert_eq!(Header::decode(&bytes), Err(HeaderFault::Invalid), "a node above the highest number");
    }
}
