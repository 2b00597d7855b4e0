//! Frames in which something is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::frames::told;
use crate::context::{Finding, Ground, Row, Run};
use crate::peer::{BINARY, CLOSE, FIN, Got, PING, PONG, Peer, TEXT, frame};
use crate::random::Random;

pub(super) const MUTATED: Row = Row {
    name: "mutated",
    attack: "10,000 mutated frames; bad UTF-8 in every piece",
    promised: "0 panics; 1002, 1007, 1008 or 1009; bad UTF-8 1007",
    run: Run::Beside(run),
};

/// Truncated, overlong, surrogate, beyond the last character, a byte that never occurs.
const BAD_UTF8: [&[u8]; 5] = [b"\xe2\x82", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff"];

fn run(ground: &Ground) -> Result<Finding> {
    let mut random = Random::new(17);
    let (mut codes, mut survived, mut done) = (BTreeMap::new(), 0, 0);
    while done < ground.size(10_000, 500) {
        let mut peer = Peer::join(ground.port)?;
        // As many on one connection as it takes.
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
            match (sent, verdict(&mut peer)) {
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
    for bad in BAD_UTF8 {
        for cut in 0..=bad.len() {
            let mut peer = Peer::join(ground.port)?;
            peer.write(&[frame(TEXT, &[b"good", &bad[..cut]].concat()), frame(FIN, &bad[cut..])].concat())?;
            *utf8.entry(peer.close_code(Duration::from_secs(5))).or_insert(0) += 1;
        }
    }
    // A close frame that was asked for is answered with its own code, 1000 and up.
    let broken = |code: &u16| matches!(code, 1002 | 1007 | 1008 | 1009 | 1005 | 1000..=1003 | 3000..=4999);
    let held = codes.keys().all(|code| code.as_ref().is_none_or(broken)) && utf8.keys().eq([&Some(1007)]);
    let measured = format!("{done} frames: {survived} harmless, {}; bad UTF-8: {}", told(&codes), told(&utf8));
    Ok(Finding { measured, held })
}

/// The code it closed with; `None` while it goes on. A frame that became longer waits for more, which is no verdict.
fn verdict(peer: &mut Peer) -> Option<Option<u16>> {
    loop {
        match peer.next(Duration::from_millis(20)) {
            Got::Frame { opcode: CLOSE, payload } => {
                return Some(payload.first_chunk().map(|&code| u16::from_be_bytes(code)));
            }
            Got::Frame { opcode: PONG, payload } if payload == b"?" => return None,
            Got::Frame { .. } => {}
            Got::Nothing | Got::End => return Some(None),
        }
    }
}
