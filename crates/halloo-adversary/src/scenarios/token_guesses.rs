//! Guesses at the token from this machine, for which guesses are not rate-limited.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::baseline_load::MAX_P99;
use crate::context::Context;
use crate::latency::millis;
use crate::peer::{Peer, request};
use crate::probe_client::ProbeClient;
use crate::random::Random;
use crate::scenario::{Finding, Run, Scenario};

pub(super) const GUESSES: Scenario = Scenario {
    name: "token-guesses",
    attack: "10^4 guesses at the token, most of them near misses, in each place where a token can be",
    promised: "0 accepted; p99 of a valid client at most 20 ms; another is accepted within 1 s",
    run: Run::Own(run),
};

const TOKEN: &str = "Zm9yIHRoZSB0ZXN0cy4u-_";

fn run(context: &Context) -> Result<Finding> {
    let mut server = context.server(&["--token", TOKEN])?;
    server.drain_output()?;
    let (mut random, mut accepted) = (Random::new(1), 0);
    let probe = ProbeClient::with(connect(server.port, &bearer(TOKEN))?.0);
    let count = context.size(10_000, 500);
    for number in 0..count {
        let (peer, status) = connect(server.port, &guess(&mut random, number))?;
        accepted += usize::from(status == "101");
        ensure!(status == "101" || status == "403" || status == "401", "the response to a guess was {status}");
        drop(peer);
    }
    let p99 = probe.stop()?;
    let start = Instant::now();
    let (_, status) = connect(server.port, &bearer(TOKEN))?;
    let again = start.elapsed();
    server.check_alive()?;
    ensure!(status == "101", "after the guesses, a valid client got {status}");
    ensure!(!server.log().contains(TOKEN), "the token is in the log");
    let held = accepted == 0 && context.in_time(p99, MAX_P99) && context.in_time(again, Duration::from_secs(1));
    let measured = format!(
        "{count} guesses, {accepted} accepted; p99 {}; another is accepted after {} ms",
        millis(p99),
        again.as_millis()
    );
    Ok(Finding { measured, held })
}

/// Sends a request with this path and these headers, and returns the connection and the status.
fn connect(port: u16, (path, headers): &(String, String)) -> Result<(Peer, String)> {
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
        // One character differs.
        _ => {
            let original = TOKEN.as_bytes()[at];
            let other = if char::from(original) == other { '~' } else { other };
            format!("{}{other}{}", &TOKEN[..at], &TOKEN[at + 1..])
        }
    };
    match number / 8 % 4 {
        0 => bearer(&wrong),
        1 => ("/".into(), format!("Sec-WebSocket-Protocol: halloo.v1, halloo.token.{wrong}\r\n")),
        2 => (format!("/?token={wrong}"), String::new()),
        // Every token in a request must be right. The `x` makes sure that the header contains one.
        _ => (format!("/?token={TOKEN}"), format!("Authorization: Bearer {wrong}x\r\n")),
    }
}
