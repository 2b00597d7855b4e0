//! Pages of other sites: what a browser says of where it comes from, and of whom it wants to talk to.

use anyhow::{Result, ensure};

use crate::context::{Finding, Ground, Row, Run};
use crate::peer::{Peer, request};

pub(super) const ORIGINS: Row = Row {
    name: "origins",
    attack: "cross-site: 60 Origins (case, port, null, userinfo, IDN, IP, doubled)",
    promised: "0 wrong decisions, no event, no count",
    run: Run::Beside(origins),
};

pub(super) const HOSTS: Row = Row {
    name: "hosts",
    attack: "DNS rebinding: 40 Hosts (other names, look-alikes, two Hosts)",
    promised: "0 wrong decisions, no event, no count",
    run: Run::Beside(hosts),
};

/// PORT stands for the server's port. A peer from this machine may come from a page of this machine.
const REFUSED_ORIGINS: [&str; 49] = [
    "null",
    "NULL",
    "",
    " ",
    "file://",
    "file:///",
    "about:blank",
    "data:text/html,x",
    "blob:http://127.0.0.1:PORT/1",
    "http://evil.com",
    "https://evil.com",
    "http://evil.com:PORT",
    "http://evil.com:80",
    "HTTP://EVIL.COM",
    "http://127.0.0.1.evil.com",
    "http://127.0.0.1.evil.com:PORT",
    "http://localhost.evil.com:PORT",
    "http://evil.com#127.0.0.1",
    "http://evil.com/127.0.0.1",
    "http://evil.com?127.0.0.1",
    "http://evil.com\\127.0.0.1",
    "http://127.0.0.1@evil.com",
    "http://127.0.0.1:PORT@evil.com",
    "http://user@127.0.0.1:PORT",
    "http://user:pass@127.0.0.1:PORT",
    "http://127.0.0.1:PORT:PORT",
    "http://127.0.0.1:PORT/",
    "http://127.0.0.1:99999",
    "http://127.0.0.1:-1",
    "http://127.0.0.1:0x50",
    "http://[::1",
    "http://::1:PORT",
    "http://192.168.1.77:PORT",
    "http://10.0.0.1",
    "http://[fe80::1]:PORT",
    "http://0.0.0.0:PORT",
    "http://2130706433:PORT",
    "http://0x7f000001:PORT",
    "http://127.1:PORT",
    "http://\u{131}27.0.0.1:PORT",
    "http://xn--lcalhost-n0a:PORT",
    "http://l\u{43e}calhost:PORT",
    "http://localhost\u{3002}:PORT",
    "http://notlocalhost",
    "http://.localhost",
    "ws://127.0.0.1:PORT",
    "ftp://127.0.0.1:PORT",
    "javascript://127.0.0.1:PORT",
    "127.0.0.1:PORT",
];
const ALLOWED_ORIGINS: [&str; 10] = [
    "http://127.0.0.1:PORT",
    "HTTP://127.0.0.1:PORT",
    "http://localhost:PORT",
    "http://LOCALHOST:PORT",
    "http://localhost:3000",
    "https://localhost",
    "http://[::1]:PORT",
    "http://app.localhost:5173",
    "chrome-extension://abcdefghijklmnop",
    "moz-extension://0a1b2c3d-0000-4000-8000-000000000000",
];

const REFUSED_HOSTS: [&str; 31] = [
    "evil.com",
    "evil.com:PORT",
    "EVIL.COM:PORT",
    "127.0.0.1.evil.com",
    "127.0.0.1.evil.com:PORT",
    "localhost.evil.com",
    "localhost.evil.com:PORT",
    "evillocalhost",
    "evil.com.",
    "localhost.",
    "localhost..",
    ".localhost",
    ".local",
    "local",
    "127.0.0.1.nip.io",
    "7f000001.rbndr.us",
    "2130706433",
    "0x7f000001",
    "127.1",
    "127.0.0.1@evil.com",
    "evil.com@127.0.0.1",
    "127.0.0.1:PORT:PORT",
    "127.0.0.1:x",
    "[::1",
    "::1",
    "",
    " ",
    "127.0.0.1, evil.com",
    "evil.com/127.0.0.1",
    "l\u{43e}calhost",
    "xn--lcalhost-n0a",
];
const ALLOWED_HOSTS: [&str; 7] =
    ["127.0.0.1:PORT", "127.0.0.1", "localhost:PORT", "LocalHost", "app.localhost", "halloo.local:PORT", "[::1]:PORT"];

fn origins(ground: &Ground) -> Result<Finding> {
    let own = format!("127.0.0.1:{}", ground.port);
    let mut cases: Vec<(String, bool)> = Vec::new();
    let with = |origin: &str| request("/", &own, &format!("Origin: {origin}\r\n"));
    cases.extend(REFUSED_ORIGINS.iter().map(|origin| (with(origin), false)));
    cases.extend(ALLOWED_ORIGINS.iter().map(|origin| (with(origin), true)));
    let twice = format!("Origin: http://{own}\r\nOrigin: http://{own}\r\n");
    cases.push((request("/", &own, &twice), false));
    judge(ground, &cases)
}

fn hosts(ground: &Ground) -> Result<Finding> {
    let mut cases: Vec<(String, bool)> = Vec::new();
    cases
        .extend(REFUSED_HOSTS.iter().filter(|&&host| host != "localhost.").map(|host| (request("/", host, ""), false)));
    // A dot at the end makes a name absolute and is no other name.
    cases.push((request("/", "localhost.", ""), true));
    cases.extend(ALLOWED_HOSTS.iter().map(|host| (request("/", host, ""), true)));
    let own = format!("127.0.0.1:{}", ground.port);
    cases.push((request("/", &own, "Host: evil.com\r\n"), false));
    cases.push((request("/", "evil.com", &format!("Host: {own}\r\n")), false));
    judge(ground, &cases)
}

/// Sends each request and compares the verdict; nobody who is refused may be counted.
fn judge(ground: &Ground, cases: &[(String, bool)]) -> Result<Finding> {
    let before = counted(ground)?;
    let (mut wrong, mut let_in) = (Vec::new(), 0);
    for (text, allowed) in cases {
        let text = text.replace("PORT", &ground.port.to_string());
        let mut peer = Peer::open(ground.port)?;
        peer.write(text.as_bytes())?;
        let head = peer.response()?;
        let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let right = if *allowed { status == "101" } else { status == "403" || status == "400" };
        let_in += u64::from(status == "101");
        if !right {
            let line = text.lines().filter(|line| line.starts_with("Origin") || line.starts_with("Host"));
            wrong.push(format!("{status} for {:?}", line.collect::<Vec<_>>()));
        }
    }
    let joined = counted(ground)? - before;
    ensure!(joined == let_in, "{let_in} were let in and {joined} counted");
    let measured = format!("{} requests, {} wrong{}", cases.len(), wrong.len(), listed(&wrong));
    Ok(Finding { measured, held: wrong.is_empty() })
}

fn counted(ground: &Ground) -> Result<u64> {
    Ok(ground.status()?["halloo"]["clients_total"].as_u64().unwrap_or(0))
}

fn listed(wrong: &[String]) -> String {
    if wrong.is_empty() { String::new() } else { format!(": {}", wrong.join("; ")) }
}
