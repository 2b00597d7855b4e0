//! Counts the records in a stream of TLS.

/// Bytes of the header of a record: type, version and length (RFC 8446 section 5.1).
const HEADER: u8 = 5;

/// Follows the records of one direction of a TLS connection.
#[derive(Debug, Default)]
pub(super) struct RecordCounter {
    /// Bytes of the current header that have arrived.
    header: u8,
    /// The last two of them: the length of the record.
    length: [u8; 2],
    /// Bytes of the current record that are still to come, once its header is complete.
    missing: usize,
}

impl RecordCounter {
    /// Returns how many bytes of the current record are still to come, as far as its header has arrived.
    pub(super) fn missing(&self) -> usize {
        self.missing
    }

    /// Returns the number of records whose header ends in `bytes`, which continue those of the last call.
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> usize {
        let mut records = 0;
        while !bytes.is_empty() {
            if self.missing > 0 {
                let body = self.missing.min(bytes.len());
                self.missing -= body;
                bytes = &bytes[body..];
                continue;
            }
            self.length = [self.length[1], bytes[0]];
            bytes = &bytes[1..];
            self.header += 1;
            if self.header == HEADER {
                (self.header, self.missing) = (0, usize::from(u16::from_be_bytes(self.length)));
                records += 1;
            }
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_in_pieces_of_any_size() {
        let lengths = [0_u16, 1, 17, 300, 0, 16_401];
        let stream: Vec<u8> = lengths
            .iter()
            .flat_map(|&length| [&[23, 3, 3][..], &length.to_be_bytes(), &vec![7; usize::from(length)]].concat())
            .collect();
        for piece in [1, 2, 5, 7, 4096, stream.len()] {
            let mut counter = RecordCounter::default();
            let records: usize = stream.chunks(piece).map(|bytes| counter.count(bytes)).sum();
            assert_eq!(records, lengths.len(), "{piece} bytes at a time");
        }
    }
}
