//! What a node says about itself once a second.

/// The content of a beat, behind the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    /// The number of its clients.
    pub(crate) clients: u32,
    /// The number after the last frame that it sent to all, by which the last messages are known to be lost, too.
    pub(crate) all_end: u32,
}

impl Beat {
    /// Appends the beat to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.clients.to_be_bytes());
        out.extend_from_slice(&self.all_end.to_be_bytes());
    }

    /// Decodes a beat. More bytes, of a later version that is compatible, are ignored.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Beat> {
        let (clients, rest) = bytes.split_first_chunk()?;
        let all_end = rest.first_chunk()?;
        Some(Beat { clients: u32::from_be_bytes(*clients), all_end: u32::from_be_bytes(*all_end) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beat_is_read_as_it_was_written() {
        let beat = Beat { clients: 3, all_end: u32::MAX };
        let mut bytes = Vec::new();
        beat.encode(&mut bytes);
        assert_eq!(Beat::decode(&bytes), Some(beat));
        assert_eq!(Beat::decode(&bytes[..7]), None);
    }
}
