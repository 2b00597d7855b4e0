//! Traffic gives the same result in any pieces.

use halloo_proto::frame::Role;
use proptest::prelude::*;

use crate::reading::{Seen, read};
use crate::traffic::{Frame, malformed, role, valid, wire};

/// Returns `bytes` in pieces that end at `cuts`; a piece may be empty.
fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([bytes.len()]);
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

fn same_in_pieces(role: Role, bytes: &[u8], cuts: &[prop::sample::Index]) -> Result<Vec<Seen>, TestCaseError> {
    let whole = read(role, [bytes]);
    prop_assert_eq!(&whole, &read(role, pieces(bytes, cuts)), "in pieces");
    prop_assert_eq!(&whole, &read(role, bytes.chunks(1)), "byte by byte");
    Ok(whole)
}

fn for_role<T: std::fmt::Debug>(
    traffic: impl Fn(Role) -> BoxedStrategy<T>,
) -> impl Strategy<Value = (Role, T, Vec<prop::sample::Index>)> {
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..12);
    (role(), cuts).prop_flat_map(move |(role, cuts)| (Just(role), traffic(role), Just(cuts)))
}

proptest! {
    #[test]
    fn valid_traffic_gives_the_same_result_in_pieces((role, frames, cuts) in for_role(|role| valid(role).boxed())) {
        let frames: Vec<Frame> = frames;
        let seen = same_in_pieces(role, &wire(&frames), &cuts)?;
        let refused = seen.iter().any(|seen| matches!(seen, Seen::Refused(..)));
        prop_assert!(!refused, "{seen:?}");
    }

    #[test]
    fn malformed_traffic_gives_the_same_result_in_pieces((role, bytes, cuts) in for_role(|role| malformed(role).boxed())) {
        same_in_pieces(role, &bytes, &cuts)?;
    }

    #[test]
    fn random_bytes_give_the_same_result_in_pieces((role, bytes, cuts) in for_role(|_| prop::collection::vec(any::<u8>(), 0..300).boxed())) {
        same_in_pieces(role, &bytes, &cuts)?;
    }
}
