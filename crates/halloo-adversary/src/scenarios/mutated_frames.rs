//! Frames with flipped bits, and invalid UTF-8.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::frames::count_codes;
use crate::context::Target;
use crate::peer::{BINARY, CLOSE, FIN, PING, PONG, Peer, Received, TEXT, frame};
use crate::random::Random;
use crate::scenario::{Finding, Run, Scenario};

pub(super) const MUTATED: Scenario = Scenario {
    name: "mutated-frames",
    attack: "10,000 mutated frames; invalid UTF-8, split at every byte",
    promised: "0 panics; 1002, 1007, 1008 or 1009; for invalid UTF-8 1007",
    run: Run::Shared(run),
};

/// Truncated, overlong, surrogate, beyond the last code point, and a byte that never occurs.
const INVALID_UTF8: [&[u8]; 5] = [b"\xe2\x82", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff"];

fn run(target: &Target) -> Result<Finding> {
    let mut random = Random::new(17);
    let (mut codes, mut survived, mut done) = (BTreeMap::new(), 0, 0);
    while done < target.size(10_000, 500) {
        let mut peer = Peer::join(target.port)?;
        // Until the server closes the connection.
        loop {
            done += 1;
            let first = [TEXT, BINARY, PING, PONG, CLOSE, 0][random.below(6) as usize] | FIN;
            let length = random.below(200) as usize;
            let mut bytes = frame(first, &random.bytes(length));
            for _ in 0..=random.below(3) {
                let at = (random.below(16) as usize).min(bytes.len() - 1);
                bytes[at] ^= 1 << random.below(8);
            }
            let sent = peer.write(&bytes).and_then(|()| peer.send(PING, b"?"));
            match (sent, close_code(&mut peer)) {
                (Ok(()), None) => survived += 1,
                (_, Some(code)) => {
                    *codes.entry(code).or_insert(0) += 1;
                    break;
                }
                (Err(_), None) => break,
            }
        }
    }
    let mut utf8 = BTreeMap::new();
    for invalid in INVALID_UTF8 {
        for cut in 0..=invalid.len() {
            let mut peer = Peer::join(target.port)?;
            peer.write(&[frame(TEXT, &[b"valid", &invalid[..cut]].concat()), frame(FIN, &invalid[cut..])].concat())?;
            *utf8.entry(peer.close_code(Duration::from_secs(5))).or_insert(0) += 1;
        }
    }
    // A frame that became a close frame gets its own code back: 1000 to 1003, or 3000 and up.
    let expected = |code: &u16| matches!(code, 1002 | 1007 | 1008 | 1009 | 1005 | 1000..=1003 | 3000..=4999);
    let held = codes.keys().all(|code| code.as_ref().is_none_or(expected)) && utf8.keys().eq([&Some(1007)]);
    let measured =
        format!("{done} frames: {survived} harmless, {}; invalid UTF-8: {}", count_codes(&codes), count_codes(&utf8));
    Ok(Finding { measured, held })
}

/// Returns the code of a close frame, `Some(None)` if the connection ends or nothing arrives, and `None` after a pong: the
/// frame was harmless. After a frame whose length grew, the server waits for more bytes.
fn close_code(peer: &mut Peer) -> Option<Option<u16>> {
    loop {
        match peer.next(Duration::from_millis(20)) {
            Received::Frame { opcode: CLOSE, payload } => {
                return Some(payload.first_chunk().map(|&code| u16::from_be_bytes(code)));
            }
            Received::Frame { opcode: PONG, payload } if payload == b"?" => return None,
            Received::Frame { .. } => {}
            Received::Timeout | Received::Closed => return Some(None),
        }
    }
}
