//! Bytes in order, which take memory only while there are any.

/// A queue of bytes. It is freed when the last of them is taken.
#[derive(Debug, Default)]
pub(super) struct ByteQueue {
    bytes: Vec<u8>,
    /// Bytes at the start that have been taken. They are removed by the next push, because each removal moves the rest.
    taken: usize,
}

impl ByteQueue {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.taken..]
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends what `write` puts into at most `most` bytes; it returns how many that were.
    ///
    /// # Errors
    /// Those of `write`, after which nothing is appended.
    pub(super) fn push_with<E>(
        &mut self,
        most: usize,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        self.compact();
        let start = self.bytes.len();
        self.bytes.resize(start + most, 0);
        let outcome = write(&mut self.bytes[start..]);
        self.bytes.truncate(start + outcome.as_ref().map_or(0, |&count| count));
        self.take(0);
        outcome
    }

    fn compact(&mut self) {
        self.bytes.drain(..std::mem::take(&mut self.taken));
    }

    /// Removes `count` bytes at the start.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken >= self.bytes.len() {
            *self = ByteQueue::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_their_order_and_an_empty_queue_takes_no_memory() {
        let mut queue = ByteQueue::default();
        queue.push(b"abc");
        queue.take(2);
        let written = queue.push_with(100, |room| {
            room[..3].copy_from_slice(b"def");
            Ok::<_, ()>(3)
        });
        assert_eq!(written, Ok(3));
        assert_eq!(queue.as_slice(), b"cdef");
        queue.take(4);
        assert_eq!((queue.as_slice(), queue.bytes.capacity()), (&[][..], 0));
        assert_eq!(queue.push_with(100, |_| Err("refused")), Err("refused"));
        assert_eq!((queue.as_slice(), queue.bytes.capacity()), (&[][..], 0));
    }
}
