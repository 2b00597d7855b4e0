//! `halloo status`: prints the status of a running server.

use std::io::Write;

use halloo::{ClientConfig, Search, SettingNames, Target};

use crate::args::StatusArgs;
use crate::{json, named};

/// Prints the status of a server, and returns whether it was found.
pub(crate) fn run(arguments: &StatusArgs) -> anyhow::Result<bool> {
    let search = arguments.search();
    let target = match arguments.server.as_deref().map(Target::from) {
        Some(address) if address.as_name().is_none() => address,
        Some(name) => {
            match named::find(name.as_name().unwrap_or_default(), &search, &arguments.search_options, |_| Ok(()))? {
                Some(server) => Target::from(server),
                None => return Ok(false),
            }
        }
        None => match search.run()?.into_iter().next() {
            Some(server) => Target::from(server),
            None => {
                arguments.search_options.report_not_found(None, &[]);
                return Ok(false);
            }
        },
    };
    print(target, search, arguments).map(|()| true)
}

/// Prints the status of the server at `target`.
fn print(target: Target, search: Search, arguments: &StatusArgs) -> anyhow::Result<()> {
    let mut config = ClientConfig::new(target);
    config.search = search;
    config.setting_names = SettingNames::CommandLine;
    config.token = arguments.credentials.token()?;
    config.fingerprint = arguments.credentials.fingerprint;
    let status = serde_json::to_string_pretty(&halloo::status_of(&config)?)?;
    writeln!(std::io::stdout(), "{}", json::escape(status))?;
    Ok(())
}
