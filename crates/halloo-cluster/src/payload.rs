//! Whom a message on the bus is for, between its header and its frames.

use std::sync::Arc;

use halloo::ClientId;

/// Maximum rooms of one message: those of a client.
const MAX_ROOMS: usize = 255;

/// The address of a message to one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The instance of the node that has the client, so that another one with the same number does not deliver it.
    pub(crate) instance: u64,
    pub(crate) client: ClientId,
}

impl Address {
    pub(crate) const LENGTH: usize = 16;

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.instance.to_be_bytes());
        out.extend_from_slice(&self.client.0.to_be_bytes());
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Address> {
        let (instance, rest) = bytes.split_first_chunk()?;
        let client = ClientId(u64::from_be_bytes(*rest.first_chunk()?));
        Some(Address { instance: u64::from_be_bytes(*instance), client })
    }
}

/// Appends the names of rooms. Only the first 255 count; a client is in fewer, unless a setting was changed.
pub(crate) fn encode_rooms(rooms: &[Arc<str>], out: &mut Vec<u8>) {
    let rooms = &rooms[..rooms.len().min(MAX_ROOMS)];
    out.push(rooms.len() as u8);
    for room in rooms {
        // A name has at most 64 bytes.
        out.push(room.len() as u8);
        out.extend_from_slice(room.as_bytes());
    }
}

/// Returns the names of rooms, and the bytes that they take.
pub(crate) fn decode_rooms(bytes: &[u8]) -> Option<(Vec<Arc<str>>, usize)> {
    let (&count, mut rest) = bytes.split_first()?;
    let mut rooms = Vec::new();
    for _ in 0..count {
        let (&length, after) = rest.split_first()?;
        let (name, after) = after.split_at_checked(usize::from(length))?;
        rooms.push(std::str::from_utf8(name).ok()?.into());
        rest = after;
    }
    Some((rooms, bytes.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_rooms_are_read_as_they_were_written() {
        let address = Address { instance: u64::MAX, client: ClientId(1 << 40) };
        let mut bytes = Vec::new();
        address.encode(&mut bytes);
        assert_eq!((bytes.len(), Address::decode(&bytes)), (Address::LENGTH, Some(address)));
        assert_eq!(Address::decode(&bytes[..15]), None);

        let rooms: Vec<Arc<str>> = vec!["red".into(), "blä".into()];
        let mut bytes = Vec::new();
        encode_rooms(&rooms, &mut bytes);
        let length = bytes.len();
        bytes.push(0x81);
        assert_eq!(decode_rooms(&bytes), Some((rooms, length)));
        for cut in 0..length {
            assert_eq!(decode_rooms(&bytes[..cut]), None);
        }
        assert_eq!(decode_rooms(b"\x01\x01\xff"), None, "not UTF-8");
    }
}
