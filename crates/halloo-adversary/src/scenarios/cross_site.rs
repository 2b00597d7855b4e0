//! Requests from pages of other sites: the `Origin` and `Host` headers that a browser would send.

use anyhow::{Result, ensure};

use crate::context::Target;
use crate::peer::{Peer, request};
use crate::scenario::{Finding, Run, Scenario};

pub(super) const ORIGINS: Scenario = Scenario {
    name: "cross-site-origins",
    attack: "cross-site requests with 66 `Origin` headers (case, port, null, userinfo, IDN, IP, duplicate)",
    promised: "0 wrong decisions; a refused request causes no event and is not counted",
    run: Run::Shared(origins),
};

pub(super) const HOSTS: Scenario = Scenario {
    name: "dns-rebinding",
    attack: "DNS rebinding: requests with 46 `Host` headers (other names, look-alikes, two headers)",
    promised: "0 wrong decisions; a refused request causes no event and is not counted",
    run: Run::Shared(hosts),
};

/// PORT is replaced with the server's port. A client on this machine may use a page from this machine.
const REFUSED_ORIGINS: [&str; 49] = [
    "null",
    "NULL",
    "about:srcdoc",
    "file:///page.html",
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
    "http://evil.com/",
    "app://127.0.0.1:PORT",
    "content://127.0.0.1",
    "http://evil.com\\127.0.0.1",
    "http://127.0.0.1@evil.com",
    "http://127.0.0.1:PORT@evil.com",
    "http://user@127.0.0.1:PORT",
    "http://user:pass@127.0.0.1:PORT",
    "http://127.0.0.1:PORT:PORT",
    "http://evil.com/,http://127.0.0.1",
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
    "ws://a b",
    "ftp://127.0.0.1:PORT",
    "javascript://127.0.0.1:PORT",
    "http:127.0.0.1",
];
const ALLOWED_ORIGINS: [&str; 16] = [
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
    // No browser sends these: they are from native programs.
    "",
    "127.0.0.1:PORT",
    "ws://127.0.0.1:PORT",
    "http://127.0.0.1:PORT/path",
    "http://evil.com/127.0.0.1",
    "http://evil.com?127.0.0.1",
];

const REFUSED_HOSTS: [&str; 33] = [
    "evil.com",
    "evil.com:PORT",
    "EVIL.COM:PORT",
    "127.0.0.1.evil.com",
    "127.0.0.1.evil.com:PORT",
    "localhost.evil.com",
    "localhost.evil.com:PORT",
    "evil.localhost.com",
    "evil.com.",
    "localhost.",
    "localhost..",
    ".localhost",
    ".local",
    "evil.lan",
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
    "evil.local",
    "evil.local:PORT",
    "l\u{43e}calhost",
    "xn--lcalhost-n0a.com",
];
const ALLOWED_HOSTS: [&str; 11] = [
    "127.0.0.1:PORT",
    "127.0.0.1",
    "localhost:PORT",
    "LocalHost",
    "app.localhost",
    "halloo.home.arpa:PORT",
    "[::1]:PORT",
    "alias:PORT",
    "a.internal",
    "[fe80::1%25eth0]:PORT",
    "127.0.0.1:",
];

fn origins(target: &Target) -> Result<Finding> {
    let own = format!("127.0.0.1:{}", target.port);
    let mut cases: Vec<(String, bool)> = Vec::new();
    let with = |origin: &str| request("/", &own, &format!("Origin: {origin}\r\n"));
    cases.extend(REFUSED_ORIGINS.iter().map(|origin| (with(origin), false)));
    cases.extend(ALLOWED_ORIGINS.iter().map(|origin| (with(origin), true)));
    let twice = format!("Origin: http://{own}\r\nOrigin: http://{own}\r\n");
    cases.push((request("/", &own, &twice), false));
    judge(target, &cases)
}

fn hosts(target: &Target) -> Result<Finding> {
    let mut cases: Vec<(String, bool)> = Vec::new();
    cases
        .extend(REFUSED_HOSTS.iter().filter(|&&host| host != "localhost.").map(|host| (request("/", host, ""), false)));
    // A trailing dot makes a name absolute; it is still the same name.
    cases.push((request("/", "localhost.", ""), true));
    cases.extend(ALLOWED_HOSTS.iter().map(|host| (request("/", host, ""), true)));
    let own = format!("127.0.0.1:{}", target.port);
    cases.push((request("/", &own, "Host: evil.com\r\n"), false));
    cases.push((request("/", "evil.com", &format!("Host: {own}\r\n")), false));
    judge(target, &cases)
}

/// Sends each request and compares the decision. Only accepted requests may be counted as clients.
fn judge(target: &Target, cases: &[(String, bool)]) -> Result<Finding> {
    let before = counted(target)?;
    let (mut wrong, mut accepted) = (Vec::new(), 0);
    for (text, allowed) in cases {
        let text = text.replace("PORT", &target.port.to_string());
        let mut peer = Peer::open(target.port)?;
        peer.write(text.as_bytes())?;
        let head = peer.response()?;
        let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let right = if *allowed { status == "101" } else { status == "403" || status == "400" };
        accepted += u64::from(status == "101");
        if !right {
            let line = text.lines().filter(|line| line.starts_with("Origin") || line.starts_with("Host"));
            wrong.push(format!("{status} for {:?}", line.collect::<Vec<_>>()));
        }
    }
    let joined = counted(target)? - before;
    ensure!(joined == accepted || !target.alone, "{accepted} requests were accepted, but {joined} clients counted");
    let measured = format!("{} requests, {} wrong{}", cases.len(), wrong.len(), listed(&wrong));
    Ok(Finding { measured, held: wrong.is_empty() })
}

fn counted(target: &Target) -> Result<u64> {
    Ok(target.status()?["halloo"]["clients_total"].as_u64().unwrap_or(0))
}

fn listed(wrong: &[String]) -> String {
    if wrong.is_empty() { String::new() } else { format!(": {}", wrong.join("; ")) }
}
