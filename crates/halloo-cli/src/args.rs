//! What can be said on the command line; every option also as `HALLOO_…` in the environment.

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
  halloo                              serve and call out until somebody answers
  halloo serve --name \"Living room\"   the name that people see
  halloo serve --json                 drive it from any language by two pipes
  halloo serve --bind 127.0.0.1       for this machine only";

const DISCOVER_EXAMPLES: &str = "Examples:
  halloo discover                       who answers within three seconds
  halloo discover --first               the first who answers, at once
  halloo discover --watch               who comes, changes and goes, until Ctrl-C
  halloo discover --watch --json        the same for programs, an object per line";

const CONNECT_EXAMPLES: &str = "Examples:
  halloo connect                           the server on this network
  halloo connect \"Living room\"             the one that people see by this name
  halloo connect ws://192.168.1.5:8765     the one at this address
  echo hello | halloo connect              sends a line, and ends once it is sent
  halloo connect --stay </dev/null         only listens

With --json, events come out: connected, message, reconnecting, disconnected, dropped, error; and commands go in:
  {\"cmd\":\"send\",\"text\":\"…\"}  or  {\"cmd\":\"send\",\"binary\":\"<base64>\"}
  {\"cmd\":\"close\",\"code\":1000,\"reason\":\"…\"}

Exit codes: 0 done, 1 refused, gave up or lost, 4 no server was found.";

const STATUS_EXAMPLES: &str = "Examples:
  halloo status                         of the first server that is found
  halloo status \"Living room\"           of the server with this name or id
  halloo status 192.168.1.5:8765        of the server at this address";

/// A zero-configuration WebSocket server for the local network.
///
/// Without a subcommand, `halloo` serves: lines of standard input go to all clients, messages come out on standard output.
#[derive(Debug, Parser)]
#[command(name = "halloo", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Logs more: beacons and messages; twice for everything.
    #[arg(short, long, env = "HALLOO_VERBOSE", action = ArgAction::Count, global = true, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// Logs errors only.
    #[arg(short, long, env = "HALLOO_QUIET", global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// When to colour; by itself only on a terminal, and not with NO_COLOR.
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
    /// Runs the server (the default).
    #[command(after_help = EXAMPLES)]
    Serve(ServeArgs),
    /// Lists the servers on the network; exits with 4 when there is none.
    #[command(after_help = DISCOVER_EXAMPLES)]
    Discover(DiscoverArgs),
    /// Connects to a server: lines of standard input go to it, its messages come out on standard output.
    #[command(after_help = CONNECT_EXAMPLES)]
    Connect(ConnectArgs),
    /// Prints the status of a running server as JSON; exits with 4 when it is not found.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Tells why a server is not found: interfaces, ports, broadcast, firewalls; exits with 1 when something is wrong.
    Doctor {
        /// Prints one JSON object.
        #[arg(long, env = "HALLOO_JSON")]
        json: bool,
    },
    /// Measures this server beside bare TCP on this machine, in ten seconds.
    Bench {
        /// Prints one JSON object for each load.
        #[arg(long, env = "HALLOO_JSON")]
        json: bool,
    },
    /// Prints completions for a shell.
    Completions { shell: clap_complete::Shell },
    /// Prints the manual page.
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
    /// Ends with the first server.
    #[arg(long, conflicts_with = "watch")]
    pub(crate) first: bool,
    /// Goes on, and tells what changes and who is lost.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Prints one JSON object per server, or per change, each on a line of its own.
    #[arg(long, env = "HALLOO_JSON")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// What a server may ask for.
#[derive(Args, Debug)]
pub(crate) struct KeyArgs {
    /// What the server wants to be given, if the address does not bring it. Better in HALLOO_TOKEN: other programs see
    /// what stands on the command line.
    #[arg(long, env = "HALLOO_TOKEN", value_parser = values::secret)]
    token: Option<Secret>,
    /// SHA-256 of the certificate that the server has to have, as it shows it; TLS is spoken then.
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
    /// Name or address of the server; without it, the first that is found.
    #[arg(value_name = "NAME or URL")]
    pub(crate) target: Option<String>,
    /// Does not come back when the connection ends or cannot be made.
    #[arg(long, env = "HALLOO_ONCE")]
    pub(crate) once: bool,
    /// Goes on when standard input ends, instead of closing once all is sent.
    #[arg(long, env = "HALLOO_STAY")]
    pub(crate) stay: bool,
    /// How long to search for a server.
    #[arg(long, env = "HALLOO_TIMEOUT", default_value = "3s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// Speaks JSON: an event per line on standard output, a command per line on standard input.
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
    /// Name or id of the server, letter case aside, or its address; without it, the first that is found.
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

/// Where to look for servers.
#[derive(Args, Debug)]
pub(crate) struct PlaceArgs {
    /// Searches this machine only.
    #[arg(long)]
    pub(crate) local: bool,
    /// Does not look for services of multicast DNS.
    #[arg(long, env = "HALLOO_NO_MDNS")]
    pub(crate) no_mdns: bool,
    /// UDP port to search on.
    #[arg(long, env = "HALLOO_DISCOVERY_PORT", default_value_t = 8766)]
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

    /// What to try when nobody was found.
    pub(crate) fn advice(&self) -> String {
        let port = self.discovery_port;
        format!("nobody answered on UDP port {port}; is a server running, and is the port let through the firewall?")
    }
}

/// Reads the command line, or ends the process with what is wrong about it.
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

/// The command line as clap knows it.
pub(crate) fn command() -> clap::Command {
    in_the_environment(Arguments::command())
}

/// In the environment, a switch is off when it is empty, `0`, `false`, `no` or `off`, and on otherwise. Help names the
/// variables without what they are at the moment.
fn in_the_environment(command: clap::Command) -> clap::Command {
    let variable = |arg: clap::Arg| match arg.get_action() {
        ArgAction::SetTrue => arg.hide_env_values(true).value_parser(FalseyValueParser::new()),
        _ => arg.hide_env_values(true),
    };
    command.mut_args(variable).mut_subcommands(in_the_environment)
}

impl ServeArgs {
    /// Whether the token is one that nobody knows yet.
    pub(crate) fn wants_random_token(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.token() == Ok(None))
    }

    /// The certificate and key, if TLS is to be spoken.
    fn identity(&self) -> anyhow::Result<Option<Identity>> {
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            return Ok(Some(Identity::from_pem_files(cert, key)?));
        }
        if !self.tls {
            return Ok(None);
        }
        let place = etcetera::base_strategy::choose_native_strategy();
        let place = place.context("there is no home directory to keep a certificate in; give `--cert` and `--key`")?;
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
