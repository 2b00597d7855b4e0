//! The server that an argument names.

use std::io;

use anyhow::bail;
use halloo::{Search, ServerInfo};

use crate::args::SearchArgs;
use crate::table;

/// Searches for the server called `name`. Returns `None`, after reporting it also with `report`, if there is none.
///
/// # Errors
/// When the search fails, and when several servers have this name.
pub(crate) fn find(
    name: &str,
    search: &Search,
    options: &SearchArgs,
    report: impl FnOnce(&str) -> io::Result<()>,
) -> anyhow::Result<Option<ServerInfo>> {
    let mut found = search.find_among(name)?;
    match found.matching.len() {
        0 => report(&options.report_not_found(Some(name), &found.others))?,
        1 => {}
        _ => bail!("{}", ambiguous_name(&found.matching)),
    }
    Ok(found.matching.pop())
}

fn ambiguous_name(servers: &[ServerInfo]) -> String {
    let line = |server: &ServerInfo| format!("\n  {}\n    id {}", table::row(server, table::NAME_COLUMNS), server.id);
    let lines: String = servers.iter().map(line).collect();
    format!("{} servers have this name; use an id or an address instead:{lines}", servers.len())
}
