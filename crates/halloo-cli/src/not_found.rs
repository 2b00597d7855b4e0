//! What is reported when no server is found.

use std::fmt::Write;

use halloo::{ServerInfo, Token};
use halloo_proto::name::key;
use halloo_proto::text::escape;

use crate::table::{self, NAME_COLUMNS};

/// Maximum servers that are listed.
const MAX_LISTED: usize = 20;

/// Returns what to report when no server was found, or none called `name` but `others`, on the UDP port `port`, among those
/// with the application id `app`.
pub(crate) fn report(
    name: Option<&str>,
    others: &[ServerInfo],
    port: u16,
    app: Option<&str>,
    without_network: bool,
) -> String {
    let no_answer = match app {
        _ if without_network => format!(
            "no server on this machine answered on UDP port {port}, and it has no network; connect to a Wi-Fi or a wired \
             network, or run `halloo doctor`"
        ),
        Some(app) => format!(
            "no server with the application id \"{}\" answered on UDP port {port}; leave out `--app` to see all servers, or \
             run `halloo doctor`",
            escape(app, 256)
        ),
        None => format!(
            "no server answered on UDP port {port}; check that one is running and that the firewall allows the port, or \
             run `halloo doctor`"
        ),
    };
    let Some(name) = name else { return no_answer };
    let mut report = format!("no server is called \"{}\"", escape(&Token::hide(name), 256));
    if others.is_empty() {
        let _ = write!(report, "; {no_answer}");
        return report;
    }
    match nearest(name, others) {
        Some(nearest) => {
            let _ = write!(report, "; did you mean `{nearest}`? These servers answered:");
        }
        None => report.push_str("; these servers answered:"),
    }
    let rows = others.iter().take(MAX_LISTED).map(|server| table::row(server, NAME_COLUMNS));
    for line in std::iter::once(table::heading(NAME_COLUMNS)).chain(rows) {
        let _ = write!(report, "\n  {line}");
    }
    if others.len() > MAX_LISTED {
        let _ = write!(report, "\n  and {} more, see `halloo discover`", others.len() - MAX_LISTED);
    }
    report.push_str("\nIf the server is not among them, run `halloo doctor` on its machine and on this one.");
    report
}

/// Returns the name that `name` may have been meant for: one that contains it, or one that is spelled similarly.
fn nearest<'s>(name: &str, servers: &'s [ServerInfo]) -> Option<&'s str> {
    let sought = key(name);
    let length = sought.chars().count();
    let distance = |server: &'s ServerInfo| {
        let known = key(&server.name);
        let is_part = length >= 3 && known.contains(&sought);
        let distance = if is_part { 0 } else { strsim::damerau_levenshtein(&sought, &known) };
        (distance <= (length / 3).max(1) && known.chars().count() > 1).then_some((distance, server.name.as_str()))
    };
    servers.iter().filter_map(distance).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}
