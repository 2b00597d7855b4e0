//! The header `Range` (RFC 9110 section 14).

use std::ops::Range;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Requested {
    Whole,
    /// At least one byte.
    Part(Range<u64>),
    /// A range that begins behind the end.
    Unsatisfiable,
}

/// Returns what the value `header` asks for of a file with `length` bytes. A header that is malformed, or that asks for
/// several ranges, is ignored, as section 14.2 allows.
pub(super) fn requested_range(header: &str, length: u64) -> Requested {
    parse(header, length).unwrap_or(Requested::Whole)
}

fn parse(header: &str, length: u64) -> Option<Requested> {
    let (unit, range) = header.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let range = match (number(first)?, number(last)?) {
        (None, None) => return None,
        // The last bytes of the file.
        (None, Some(count)) => length.saturating_sub(count)..length,
        (Some(first), None) => first..length,
        (Some(first), Some(last)) if last < first => return None,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(length),
    };
    Some(if range.is_empty() { Requested::Unsatisfiable } else { Requested::Part(range) })
}

/// Parses a number that may be missing; `None` if it is none. One that is too large is larger than every file.
fn number(text: &str) -> Option<Option<u64>> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_understood_and_others_ignored() {
        let huge = "99999999999999999999999999";
        for (header, expected) in [
            ("bytes=0-0", Requested::Part(0..1)),
            ("bytes=0-", Requested::Part(0..10)),
            ("Bytes=2-5", Requested::Part(2..6)),
            ("bytes=9-20", Requested::Part(9..10)),
            (&format!("bytes=0-{huge}"), Requested::Part(0..10)),
            ("bytes=-3", Requested::Part(7..10)),
            ("bytes=-30", Requested::Part(0..10)),
            ("bytes=10-", Requested::Unsatisfiable),
            ("bytes=-0", Requested::Unsatisfiable),
            (&format!("bytes={huge}-"), Requested::Unsatisfiable),
            ("bytes=5-4", Requested::Whole),
            ("bytes=0-1,3-4", Requested::Whole),
            ("bytes=-", Requested::Whole),
            ("bytes=a-b", Requested::Whole),
            ("bytes=+1-2", Requested::Whole),
            ("lines=1-2", Requested::Whole),
            ("bytes", Requested::Whole),
            ("", Requested::Whole),
        ] {
            assert_eq!(requested_range(header, 10), expected, "{header}");
        }
        assert_eq!(requested_range("bytes=0-", 0), Requested::Unsatisfiable);
        assert_eq!(requested_range("bytes=-1", 0), Requested::Unsatisfiable);
    }
}
