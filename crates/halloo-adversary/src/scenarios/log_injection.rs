//! Control characters from the network must not reach a terminal.

use std::time::Duration;

use anyhow::Result;

use crate::context::Context;
use crate::peer::{CLOSE, Peer, TEXT, request};
use crate::scenario::{Finding, Run, Scenario};

pub(super) const LOG: Scenario = Scenario {
    name: "log-injection",
    attack: "CR, LF, ESC and bidirectional controls in path, `Host`, `Origin`, payload, close reason and server name",
    promised: "one escaped log line each",
    run: Run::Own(run),
};

/// Clears the screen, changes colours, reverses the direction of text, and starts new lines.
const HARMFUL: &str = "mark\u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{7f}\u{85}\u{2028}mark";

fn run(context: &Context) -> Result<Finding> {
    let mut server = context.server(&["-vv", "--name", HARMFUL])?;
    server.drain_output()?;
    let own = format!("127.0.0.1:{}", server.port);
    let requests = [
        request(&format!("/{HARMFUL}"), &own, ""),
        request("/", HARMFUL, ""),
        request("/", &own, &format!("Origin: http://{HARMFUL}\r\n")),
        request("/", &own, "Origin: http://evil.com\rforged line\r\n"),
        request("/", &format!("{own}\u{0}forged"), ""),
    ];
    for text in &requests {
        let mut peer = Peer::open(server.port)?;
        peer.write(text.as_bytes())?;
        let _ = peer.response();
    }
    let mut peer = Peer::join(server.port)?;
    peer.send(TEXT, format!("{HARMFUL}\r\nforged line").as_bytes())?;
    peer.send(CLOSE, &[&[0x03, 0xe8][..], HARMFUL.as_bytes()].concat())?;
    peer.close_code(Duration::from_secs(2));
    std::thread::sleep(Duration::from_millis(300));
    let log = server.log();
    // Every control character except the end of a line is harmful, and so are line separators and bidirectional controls.
    let harmful = |c: &char| (c.is_control() && *c != '\n') || matches!(*c, '\u{2028}' | '\u{202e}' | '\u{2066}');
    let (bad, forged) =
        (log.chars().filter(harmful).count(), log.lines().filter(|line| line.starts_with("forged")).count());
    let shown = log.lines().filter(|line| line.contains("mark")).count();
    let measured = format!(
        "{} lines for 9 events, {shown} of them show what was sent; {bad} harmful characters, {forged} forged lines",
        log.lines().count()
    );
    Ok(Finding { measured, held: bad == 0 && forged == 0 && log.lines().count() == 9 && shown == 2 })
}
