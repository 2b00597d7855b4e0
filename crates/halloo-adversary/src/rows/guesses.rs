//! Guessing the token, by a program of this machine, which no limit on guesses slows down.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::context::{Finding, Row, Run, Stage};
use crate::honest::{Neighbour, PROMISED};
use crate::peer::{Peer, request};
use crate::random::Random;

pub(super) const GUESSES: Row = Row {
    name: "guesses",
    attack: "10^4 guesses at the token, most of them near misses, in each of the places for one",
    promised: "0 in; the valid client's p99 at most 20 ms, and another is let in within 1 s",
    run: Run::Alone(run),
};

const TOKEN: &str = "Zm9yIHRoZSBzaWVnZS4u-_";

fn run(stage: &Stage) -> Result<Finding> {
    let mut server = stage.server(&["--token", TOKEN])?;
    server.drain_output()?;
    let (mut random, mut let_in) = (Random::new(1), 0);
    let neighbour = Neighbour::from(knock(server.port, &bearer(TOKEN))?.0);
    let count = stage.size(10_000, 500);
    for number in 0..count {
        let (peer, status) = knock(server.port, &guess(&mut random, number))?;
        let_in += usize::from(status == "101");
        ensure!(status == "101" || status == "403" || status == "401", "the answer to a guess was {status}");
        drop(peer);
    }
    let p99 = neighbour.end()?;
    let begin = Instant::now();
    let (_, status) = knock(server.port, &bearer(TOKEN))?;
    let again = begin.elapsed();
    server.check_alive()?;
    ensure!(status == "101", "after the guesses a valid client gets {status}");
    ensure!(!server.log().contains(TOKEN), "the token is in the log");
    let held = let_in == 0 && stage.in_time(p99, PROMISED) && stage.in_time(again, Duration::from_secs(1));
    let measured = format!(
        "{count} guesses, {let_in} in; p99 {:.1} ms; another is let in after {} ms",
        p99.as_secs_f64() * 1000.0,
        again.as_millis()
    );
    Ok(Finding { measured, held })
}

/// The socket and the status of one request with these headers, or to this path.
fn knock(port: u16, (path, headers): &(String, String)) -> Result<(Peer, String)> {
    let mut peer = Peer::open(port)?;
    peer.write(request(path, &format!("127.0.0.1:{port}"), headers).as_bytes())?;
    let head = peer.response()?;
    Ok((peer, head.split(' ').nth(1).unwrap_or_default().to_owned()))
}

fn bearer(token: &str) -> (String, String) {
    ("/".into(), format!("Authorization: Bearer {token}\r\n"))
}

fn guess(random: &mut Random, number: usize) -> (String, String) {
    let at = random.below(TOKEN.len() as u64) as usize;
    let other = char::from(b'a' + random.below(26) as u8);
    let wrong = match number % 8 {
        0 => TOKEN[..at].to_owned(),
        1 => format!("{TOKEN}{other}"),
        2 => TOKEN.to_lowercase(),
        3 => String::new(),
        4 => (0..TOKEN.len()).map(|_| char::from(b'a' + random.below(26) as u8)).collect(),
        // One character is another.
        _ => {
            let there = TOKEN.as_bytes()[at];
            let other = if char::from(there) == other { '~' } else { other };
            format!("{}{other}{}", &TOKEN[..at], &TOKEN[at + 1..])
        }
    };
    match number / 8 % 4 {
        0 => bearer(&wrong),
        1 => ("/".into(), format!("Sec-WebSocket-Protocol: halloo.v1, halloo.token.{wrong}\r\n")),
        2 => (format!("/?token={wrong}"), String::new()),
        // All that are given have to be right; with nothing behind it, the header gives none.
        _ => (format!("/?token={TOKEN}"), format!("Authorization: Bearer {wrong}x\r\n")),
    }
}
