//! The command line; every option can also be set as `HALLOO_…` in the environment.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use etcetera::BaseStrategy;
use halloo::{Fingerprint, Identity, Token};

use crate::setting_args::SettingArgs;
use crate::values::{self, Secret};

const EXAMPLES: &str = "Examples:
  halloo                              serve, and announce the server until a client connects
  halloo serve --name \"Living room\"   the name in lists of servers
  halloo serve --json                 for programs in any language, over two pipes
  halloo serve --bind 127.0.0.1       for this machine only";

const DISCOVER_EXAMPLES: &str = "Examples:
  halloo discover                       the servers that answer within three seconds
  halloo discover --first               the first server, at once
  halloo discover --watch               changes as they happen, until Ctrl-C
  halloo discover --watch --json        the same for programs, one object per line";

const CONNECT_EXAMPLES: &str = "Examples:
  halloo connect                           the server on this network
  halloo connect \"Living room\"             the server with this name
  halloo connect ws://192.168.1.5:8765     the server at this address
  echo hello | halloo connect              send a line, and exit once it is sent
  halloo connect --stay </dev/null         only receive

With --json, these events are written: connected, message, reconnecting, disconnected, dropped, error. The commands are:
  {\"cmd\":\"send\",\"text\":\"…\"}  or  {\"cmd\":\"send\",\"binary\":\"<base64>\"}
  {\"cmd\":\"close\",\"code\":1000,\"reason\":\"…\"}

Exit codes: 0 done, 1 refused, gave up or connection lost, 4 no server found.";

const STATUS_EXAMPLES: &str = "Examples:
  halloo status                         of the first server that is found
  halloo status \"Living room\"           of the server with this name or id
  halloo status 192.168.1.5:8765        of the server at this address";

/// A zero-configuration WebSocket server for the local network.
///
/// Without a subcommand, `halloo` serves: it sends lines of standard input to all clients and writes their messages to
/// standard output.
#[derive(Debug, Parser)]
#[command(name = "halloo", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Log beacons and messages; use it twice to log everything.
    #[arg(short, long, env = "HALLOO_VERBOSE", action = ArgAction::Count, global = true, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// Log errors only.
    #[arg(short, long, env = "HALLOO_QUIET", global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// When to use colours; `auto` means on a terminal, unless NO_COLOR is set.
    #[arg(
        long,
        env = "HALLOO_COLOR",
        value_name = "WHEN",
        value_enum,
        default_value = "auto",
        hide_possible_values = true
    )]
    #[arg(global = true, help_heading = "Output")]
    pub(crate) color: ColorChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server (the default).
    #[command(after_help = EXAMPLES)]
    Serve(ServeArgs),
    /// List the servers on the network; exits with 4 when there is none.
    #[command(after_help = DISCOVER_EXAMPLES)]
    Discover(DiscoverArgs),
    /// Connect to a server: send lines of standard input, write its messages to standard output.
    #[command(after_help = CONNECT_EXAMPLES)]
    Connect(ConnectArgs),
    /// Print the status of a running server as JSON; exits with 4 when it is not found.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Find out why a server is not found: interfaces, ports, broadcast, firewalls; exits with 1 when a check fails.
    Doctor {
        /// Print one JSON object.
        #[arg(long, env = "HALLOO_JSON")]
        json: bool,
    },
    /// Measure this server beside plain TCP on this machine, in ten seconds.
    Bench {
        /// Print one JSON object per load.
        #[arg(long, env = "HALLOO_JSON")]
        json: bool,
    },
    /// Print completions for a shell.
    Completions { shell: clap_complete::Shell },
    /// Print the manual page.
    Man,
}

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// Require this token from clients; without a TOKEN, a random one, which the banner and its QR code show.
    ///
    /// Other programs can read the command line, but not HALLOO_TOKEN.
    #[arg(long, env = "HALLOO_TOKEN", num_args = 0..=1, default_missing_value = "", value_parser = values::secret, help_heading = "Access")]
    pub(crate) token: Option<Secret>,
    /// Use TLS with a self-signed certificate that is kept for the next start; clients pin its fingerprint.
    #[arg(long, env = "HALLOO_TLS", help_heading = "Access")]
    pub(crate) tls: bool,
    /// Use TLS with this certificate in PEM format, followed by those of its issuers.
    #[arg(long, env = "HALLOO_CERT", value_name = "FILE", requires = "key", help_heading = "Access")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of the certificate in PEM format.
    #[arg(long, env = "HALLOO_KEY", value_name = "FILE", requires = "cert", help_heading = "Access")]
    pub(crate) key: Option<PathBuf>,
    /// Use JSON: one event per line on standard output, one command per line on standard input.
    #[arg(long, env = "HALLOO_JSON", help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DiscoverArgs {
    /// How long to search; with --watch, until Ctrl-C unless this is given.
    #[arg(long, env = "HALLOO_TIMEOUT", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
    /// Exit after the first server.
    #[arg(long, conflicts_with = "watch")]
    pub(crate) first: bool,
    /// Keep running, and print changes and lost servers.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Print one JSON object per line, for each server or change.
    #[arg(long, env = "HALLOO_JSON")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// What a server may require.
#[derive(Args, Debug)]
pub(crate) struct KeyArgs {
    /// Token of the server, if the address does not contain it. Prefer HALLOO_TOKEN: other programs can read the command
    /// line.
    #[arg(long, env = "HALLOO_TOKEN", value_parser = values::secret)]
    token: Option<Secret>,
    /// SHA-256 fingerprint of the server's certificate, as the server shows it; implies TLS.
    #[arg(long, env = "HALLOO_FINGERPRINT", value_name = "SHA256")]
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl KeyArgs {
    pub(crate) fn token(&self) -> Option<Token> {
        // Wrong ones were told when the command line was read.
        self.token.as_ref().and_then(|token| token.token().ok().flatten())
    }
}

#[derive(Args, Debug)]
pub(crate) struct ConnectArgs {
    /// Name or address of the server; without it, the first server that is found.
    #[arg(value_name = "NAME or URL")]
    pub(crate) target: Option<String>,
    /// Do not reconnect when the connection fails or ends.
    #[arg(long, env = "HALLOO_ONCE")]
    pub(crate) once: bool,
    /// Stay connected when standard input ends, instead of closing once everything is sent.
    #[arg(long, env = "HALLOO_STAY")]
    pub(crate) stay: bool,
    /// How long to search for a server.
    #[arg(long, env = "HALLOO_TIMEOUT", default_value = "3s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// Use JSON: one event per line on standard output, one command per line on standard input.
    #[arg(long, env = "HALLOO_JSON")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

impl ConnectArgs {
    pub(crate) fn search(&self) -> halloo::Search {
        let mut search = halloo::Search::default();
        search.browser = self.place.config();
        search.timeout = self.timeout;
        search
    }
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Name or id of the server, ignoring case, or its address; without it, the first server that is found.
    #[arg(value_name = "NAME or URL")]
    pub(crate) server: Option<String>,
    /// How long to search for it.
    #[arg(long, env = "HALLOO_TIMEOUT", default_value = "3s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Where to search for servers.
#[derive(Args, Debug)]
pub(crate) struct PlaceArgs {
    /// Search this machine only.
    #[arg(long)]
    pub(crate) local: bool,
    /// Do not search by multicast DNS.
    #[arg(long, env = "HALLOO_NO_MDNS")]
    pub(crate) no_mdns: bool,
    /// UDP port to search on.
    #[arg(long, env = "HALLOO_DISCOVERY_PORT", default_value_t = halloo::BrowserConfig::default().discovery_port)]
    pub(crate) discovery_port: u16,
}

impl StatusArgs {
    pub(crate) fn search(&self) -> halloo::Search {
        let mut search = halloo::Search::default();
        search.browser = self.place.config();
        search.timeout = self.timeout;
        search.first = self.server.is_none();
        search
    }
}

impl PlaceArgs {
    pub(crate) fn config(&self) -> halloo::BrowserConfig {
        let mut config = halloo::BrowserConfig::default();
        (config.local, config.mdns, config.discovery_port) = (self.local, !self.no_mdns, self.discovery_port);
        config
    }

    /// Returns what to try when no server was found.
    pub(crate) fn advice(&self) -> String {
        let port = self.discovery_port;
        format!(
            "no server answered on UDP port {port}; check that one is running and that the firewall allows the port, or run `halloo doctor`"
        )
    }
}

/// Parses the command line, or exits with what is wrong with it.
pub(crate) fn parse() -> Arguments {
    let read = |mut matches| Arguments::from_arg_matches_mut(&mut matches);
    let arguments = command().try_get_matches().and_then(read).and_then(check_token);
    arguments.unwrap_or_else(|mut error| {
        let number = match error.get(ContextKind::InvalidSubcommand) {
            Some(ContextValue::String(name)) => name.parse::<u16>().ok(),
            _ => None,
        };
        if let Some(port) = number {
            let tip = format!("to serve on port {port}, use `halloo --port {port}`");
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        }
        error.exit()
    })
}

fn check_token(arguments: Arguments) -> Result<Arguments, clap::Error> {
    let given = match &arguments.command {
        None => arguments.serve.token.as_ref(),
        Some(Command::Serve(serve)) => serve.token.as_ref(),
        Some(Command::Connect(connect)) => connect.keys.token.as_ref(),
        Some(Command::Status(status)) => status.keys.token.as_ref(),
        Some(_) => None,
    };
    match given.map(Secret::token) {
        Some(Err(error)) => {
            Err(command().error(ErrorKind::ValueValidation, format!("invalid value for '--token': {error}")))
        }
        _ => Ok(arguments),
    }
}

/// Returns the command line as clap defines it.
pub(crate) fn command() -> clap::Command {
    in_the_environment(Arguments::command())
}

/// In the environment, a switch is off when it is empty, `0`, `false`, `no` or `off`, and on otherwise. The help names the
/// variables without their current values.
fn in_the_environment(command: clap::Command) -> clap::Command {
    let variable = |arg: clap::Arg| match arg.get_action() {
        ArgAction::SetTrue => arg.hide_env_values(true).value_parser(FalseyValueParser::new()),
        _ => arg.hide_env_values(true),
    };
    command.mut_args(variable).mut_subcommands(in_the_environment)
}

impl ServeArgs {
    /// Returns whether a random token is requested.
    pub(crate) fn wants_random_token(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.token() == Ok(None))
    }

    /// Returns the certificate and key, if TLS is requested.
    fn identity(&self) -> anyhow::Result<Option<Identity>> {
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            return Ok(Some(Identity::from_pem_files(cert, key)?));
        }
        if !self.tls {
            return Ok(None);
        }
        let place = etcetera::base_strategy::choose_native_strategy();
        let place = place.context("there is no home directory to keep a certificate in; use `--cert` and `--key`")?;
        Ok(Some(Identity::self_signed_in(place.data_dir().join("halloo"))?))
    }

    pub(crate) fn config(&self) -> anyhow::Result<halloo::Config> {
        let mut config = (*self.settings.config).clone();
        config.access.setting_names = halloo::SettingNames::CommandLine;
        config.access.token = match &self.token {
            None => None,
            Some(token) => token.token()?.map_or_else(halloo::random_token, Ok).map(Some)?,
        };
        config.tls = self.identity()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepting an option and ignoring it is worse than refusing it.
    #[test]
    fn status_and_connect_search_where_the_options_say() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).unwrap().command.unwrap();
        for (options, mdns) in [("--local --discovery-port 9000", true), ("--no-mdns --discovery-port 9000", false)] {
            let Command::Status(status) = parse(&format!("halloo status den {options}")) else { panic!() };
            let Command::Connect(connect) = parse(&format!("halloo connect den {options}")) else { panic!() };
            for search in [status.search(), connect.search()] {
                assert_eq!((search.browser.mdns, search.browser.local), (mdns, mdns));
                assert_eq!(search.browser.discovery_port, 9000);
            }
        }
    }
}
