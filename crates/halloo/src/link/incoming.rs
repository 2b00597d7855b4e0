//! What comes from other nodes, checked before the server's thread gets it.

use std::fmt;

use halloo_proto::close::CloseCode;
use halloo_proto::frame::{self, Opcode, Role};

use super::LinkTarget;
use crate::{ClientId, Event};

/// What another node sends to this one.
#[derive(Debug)]
pub(crate) enum Incoming {
    Frames(LinkTarget, ServerFrames),
    Disconnect(ClientId, CloseCode, String),
    Event(Box<Event<'static>>),
}

impl Incoming {
    /// Returns the bytes of memory that count against the limit.
    pub(super) fn bytes(&self) -> usize {
        /// What an entry takes besides its content.
        const ENTRY: usize = 128;
        match self {
            Incoming::Frames(_, frames) => ENTRY + frames.bytes().len(),
            Incoming::Disconnect(_, _, reason) => ENTRY + reason.len(),
            Incoming::Event(_) => ENTRY,
        }
    }
}

/// Whole frames as a server sends them to its clients: text in UTF-8 or binary, unmasked, uncompressed, unfragmented.
pub struct ServerFrames {
    bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
    count: usize,
}

/// Why bytes are no [`ServerFrames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A header breaks RFC 6455, or a frame is masked, compressed, fragmented or a control frame.
    #[error("a frame is none that a server sends as a message")]
    Header,
    /// The last frame is not whole.
    #[error("the last frame is cut off")]
    Cut,
    /// A text message is not UTF-8.
    #[error("a text message is not UTF-8")]
    Text,
    /// There are more or fewer frames than was said.
    #[error("the number of frames is not the one that was said")]
    Count,
}

impl ServerFrames {
    /// Checks `bytes`, which are to hold `count` frames, without copying them.
    ///
    /// ```
    /// use halloo::ServerFrames;
    ///
    /// assert!(ServerFrames::new(*b"\x81\x02hi", 1).is_ok());
    /// assert!(ServerFrames::new(*b"\x81\x03hi", 1).is_err());
    /// ```
    ///
    /// # Errors
    /// [`FrameError`] unless all of it is valid.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static, count: usize) -> Result<ServerFrames, FrameError> {
        let mut rest = bytes.as_ref();
        let mut found = 0;
        while !rest.is_empty() {
            let header = frame::decode_header(rest, Role::Client, false).map_err(|_| FrameError::Header)?;
            let header = header.ok_or(FrameError::Cut)?;
            if !header.fin || !matches!(header.opcode, Opcode::Text | Opcode::Binary) {
                return Err(FrameError::Header);
            }
            let payload = usize::try_from(header.payload).map_err(|_| FrameError::Cut)?;
            let end = header.length.checked_add(payload).ok_or(FrameError::Cut)?;
            let payload = rest.get(header.length..end).ok_or(FrameError::Cut)?;
            if header.opcode == Opcode::Text && std::str::from_utf8(payload).is_err() {
                return Err(FrameError::Text);
            }
            found += 1;
            rest = &rest[end..];
        }
        if found != count {
            return Err(FrameError::Count);
        }
        Ok(ServerFrames { bytes: Box::new(bytes), count })
    }

    /// Returns the number of frames.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the frames, one after the other.
    pub(crate) fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// Returns each frame.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes();
        std::iter::from_fn(move || {
            let (first, others) = rest.split_at_checked(frame::encoded_length(rest)?)?;
            rest = others;
            Some(first)
        })
    }
}

impl fmt::Debug for ServerFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFrames").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], count: usize) -> Option<FrameError> {
        ServerFrames::new(bytes.to_vec(), count).err()
    }

    #[test]
    fn only_whole_messages_of_a_server_pass() {
        let frames = ServerFrames::new(b"\x81\x02hi\x82\x01\xff\x81\x00".to_vec(), 3).unwrap();
        assert_eq!(frames.iter().collect::<Vec<_>>(), [&b"\x81\x02hi"[..], b"\x82\x01\xff", b"\x81\x00"]);
        assert_eq!(check(b"", 0), None);
        assert_eq!(check(b"\x81\x02hi", 2), Some(FrameError::Count));
        assert_eq!(check(b"\x81\x02hi\x81\x02hi", 1), Some(FrameError::Count));
        assert_eq!(check(b"\x81\x02h", 1), Some(FrameError::Cut));
        assert_eq!(check(b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 1), Some(FrameError::Cut));
        assert_eq!(check(b"\x81\x01\xff", 1), Some(FrameError::Text));
        for frame in
            [&b"\x01\x00"[..], b"\x80\x00", b"\x88\x00", b"\x89\x00", b"\xc1\x00", b"\x81\x80abcd", b"\x83\x00"]
        {
            assert_eq!(check(frame, 1), Some(FrameError::Header), "{frame:?}");
        }
    }
}
