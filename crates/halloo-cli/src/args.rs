//! The command line. Most options can also be set by an environment variable `HALLOO_…`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use halloo::{Fingerprint, Token};

use crate::address_typo;
#[cfg(feature = "cluster")]
use crate::cluster_args::BrokerArgs;
use crate::hidden_tokens;
use crate::not_found;
use crate::output;
use crate::secret::{self, Secret};
use crate::serve_args::ServeArgs;
use crate::setting_args;
use crate::token_file;
use crate::usage_tips;
use crate::value_parsers::{parse_room, parse_subprotocol, parse_text};

const EXAMPLES: &str = "Examples:
  halloo                              serve, and announce the server until a client connects
  halloo serve --name \"Living room\"   serve under this name
  halloo serve --www dist             serve the files in the directory dist, too
  halloo serve --relay                pass messages on between the clients in a room, /room/NAME
  halloo serve --json                 JSON on standard input and output, for other programs
  halloo serve --bind 127.0.0.1       serve this machine only
  halloo serve --pad                  make phones that open the page game controllers

The document docs/json.md lists the events and commands of --json, with examples in Python and for
Node.js.";

/// The commands that have a manual page.
const COMMANDS: [&str; 8] = ["serve", "discover", "connect", "status", "doctor", "bench", "completions", "man"];

/// The options of `serve` in its short help.
const SHORT_HELP: [&str; 6] = ["port", "bind", "name", "token", "tls", "json"];
const SHORT_HELP_END: &str = "`halloo --help` lists all options, `halloo COMMAND --help` those of another command.";

const DISCOVER_EXAMPLES: &str = "Examples:
  halloo discover                       list the servers that answer within three seconds
  halloo discover --first               print the first server and exit
  halloo discover --watch               print changes until Ctrl-C
  halloo discover --watch --json        print changes as JSON, one object per line";

const CONNECT_EXAMPLES: &str = "Examples:
  halloo connect                           connect to the server on this network
  halloo connect \"Living room\"             connect to the server with this name
  halloo connect ws://192.168.1.5:8765     connect to this address
  echo hello | halloo connect              send a line and exit
  halloo connect --room red                join the room `red` of the server
  halloo connect --stay </dev/null         receive only

With --json, the events are: connected, message, reconnecting, disconnected, dropped, error. The commands are:
  {\"cmd\":\"send\",\"text\":\"…\"}  or  {\"cmd\":\"send\",\"binary\":\"<base64>\"}
  {\"cmd\":\"close\",\"code\":1000,\"reason\":\"…\"}

Exit codes: 0 success; 1 refused, gave up or connection lost; 4 no server found.";

const STATUS_EXAMPLES: &str = "Examples:
  halloo status                         the first server that is found
  halloo status \"Living room\"           the server with this name or id
  halloo status 192.168.1.5:8765        the server at this address";

/// A zero-configuration WebSocket server for the local network.
///
/// Without a subcommand, `halloo` runs the server: it sends lines of standard input to all clients and writes their
/// messages to standard output.
#[derive(Debug, Parser)]
#[command(name = "halloo", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Log beacons and messages; repeat it to log everything.
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
    Serve(ServeArgs),
    /// List the servers on the network; exits with 4 if there is none.
    #[command(after_help = DISCOVER_EXAMPLES)]
    Discover(DiscoverArgs),
    /// Connect to a server: send lines of standard input, and write its messages to standard output.
    #[command(after_help = CONNECT_EXAMPLES)]
    Connect(ConnectArgs),
    /// Print the status of a running server as JSON; exits with 4 if it is not found.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Diagnose why a server is not found: interfaces, ports, broadcast, firewalls, brokers; exits with 1 if a check fails.
    Doctor {
        /// Print one JSON object.
        #[arg(long, env = "HALLOO_JSON")]
        json: bool,
        #[cfg(feature = "cluster")]
        #[command(flatten)]
        brokers: BrokerArgs,
        /// Name of the cluster.
        #[cfg(feature = "cluster")]
        #[arg(long, env = "HALLOO_CLUSTER_NAME", value_name = "NAME", help_heading = "Cluster")]
        cluster_name: Option<String>,
    },
    /// Compare this server with plain TCP on this machine; takes ten seconds.
    Bench {
        /// Print one JSON object per load.
        #[arg(long, env = "HALLOO_JSON")]
        json: bool,
    },
    /// Print shell completions.
    Completions {
        /// The shell that reads them.
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program, or of a command.
    Man {
        /// A command, such as `serve`.
        #[arg(value_parser = COMMANDS)]
        command: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct DiscoverArgs {
    /// How long to search; the default is 3s, or until Ctrl-C with --watch.
    #[arg(long, env = "HALLOO_TIMEOUT", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
    /// Exit after the first server.
    #[arg(long, conflicts_with = "watch")]
    pub(crate) first: bool,
    /// Keep running, and print updated and lost servers.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Print only the names of the servers that answer within 0.3 seconds, one per line, for shell completions.
    #[arg(long, conflicts_with_all = ["watch", "first"])]
    pub(crate) names: bool,
    /// Print one JSON object per line for each server or change.
    #[arg(long, env = "HALLOO_JSON")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) search_options: SearchArgs,
}

/// The token and the certificate fingerprint of a server.
#[derive(Args, Debug)]
pub(crate) struct CredentialArgs {
    /// Token of the server, unless the address contains it. Prefer HALLOO_TOKEN: other programs can read the command
    /// line.
    #[arg(long, env = "HALLOO_TOKEN", value_parser = secret::parse)]
    token: Option<Secret>,
    /// Read the token of the server from this file.
    #[arg(long, env = "HALLOO_TOKEN_FILE", value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// SHA-256 fingerprint of the server's certificate, which the server shows; implies TLS.
    #[arg(long, env = "HALLOO_FINGERPRINT", value_name = "SHA256")]
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl CredentialArgs {
    pub(crate) fn token(&self) -> anyhow::Result<Option<Token>> {
        match (&self.token_file, &self.token) {
            (Some(path), _) => token_file::read(path).map(Some),
            (None, Some(token)) => Ok(token.token()?),
            (None, None) => Ok(None),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ConnectArgs {
    /// Name (ignoring case), id or address of the server; by default, the first server that is found.
    #[arg(value_name = "NAME or URL")]
    pub(crate) target: Option<String>,
    /// Join this room of the server.
    #[arg(long, env = "HALLOO_ROOM", value_name = "NAME", value_parser = parse_room)]
    pub(crate) room: Option<String>,
    /// Offer these WebSocket subprotocols, the preferred one first.
    #[arg(long, alias = "subprotocol", env = "HALLOO_SUBPROTOCOLS", value_name = "NAME", value_delimiter = ',', value_parser = parse_subprotocol)]
    pub(crate) subprotocols: Vec<String>,
    /// Do not reconnect when the connection fails or ends.
    #[arg(long, env = "HALLOO_ONCE")]
    pub(crate) once: bool,
    /// Stay connected when standard input ends, instead of closing after the last message is sent.
    #[arg(long, env = "HALLOO_STAY")]
    pub(crate) stay: bool,
    /// How long to search for a server.
    #[arg(long, env = "HALLOO_TIMEOUT", default_value = "3s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// Use JSON: one event per line on standard output, one command per line on standard input.
    #[arg(long, env = "HALLOO_JSON")]
    pub(crate) json: bool,
    /// Size of a message from the server. When exceeded: closed with 1009.
    #[arg(
        long,
        env = "HALLOO_MAX_MESSAGE_BYTES",
        alias = "max-message",
        value_name = "SIZE",
        default_value = "1MiB",
        value_parser = setting_args::parse_message_size
    )]
    pub(crate) max_message_bytes: usize,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
    #[command(flatten)]
    pub(crate) search_options: SearchArgs,
}

impl ConnectArgs {
    pub(crate) fn search(&self) -> halloo::Search {
        let mut search = halloo::Search::default();
        search.browser = self.search_options.config();
        search.timeout = self.timeout;
        search
    }
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Name (ignoring case), id or address of the server; by default, the first server that is found.
    #[arg(value_name = "NAME or URL")]
    pub(crate) server: Option<String>,
    /// How long to search for the server.
    #[arg(long, env = "HALLOO_TIMEOUT", default_value = "3s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
    #[command(flatten)]
    pub(crate) search_options: SearchArgs,
}

/// Where to search for servers.
#[derive(Args, Debug)]
pub(crate) struct SearchArgs {
    /// Search this machine only.
    #[arg(long)]
    pub(crate) local: bool,
    /// Do not search with multicast DNS.
    #[arg(long, env = "HALLOO_NO_MDNS")]
    pub(crate) no_mdns: bool,
    /// Search only servers with this application id (ignoring case); others are left out, and so are those without one.
    #[arg(long, env = "HALLOO_APP", value_name = "ID", value_parser = parse_text)]
    pub(crate) app: Option<String>,
    /// Search on these network interfaces only, such as wlan0 or eth*.
    #[arg(long, alias = "interface", env = "HALLOO_INTERFACES", value_name = "NAME", value_delimiter = ',', value_parser = parse_text)]
    pub(crate) interfaces: Vec<String>,
    /// Do not search on these network interfaces, such as docker*.
    #[arg(
        long,
        alias = "no-interface",
        env = "HALLOO_EXCLUDED_INTERFACES",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = parse_text
    )]
    pub(crate) excluded_interfaces: Vec<String>,
    /// UDP port to search on.
    #[arg(long, env = "HALLOO_DISCOVERY_PORT", default_value_t = halloo::BrowserConfig::default().discovery_port)]
    pub(crate) discovery_port: u16,
}

impl StatusArgs {
    pub(crate) fn search(&self) -> halloo::Search {
        let mut search = halloo::Search::default();
        search.browser = self.search_options.config();
        search.timeout = self.timeout;
        search.first = self.server.is_none();
        search
    }
}

impl SearchArgs {
    pub(crate) fn config(&self) -> halloo::BrowserConfig {
        let mut config = halloo::BrowserConfig::default();
        (config.local, config.mdns, config.discovery_port) = (self.local, !self.no_mdns, self.discovery_port);
        config.app = self.app.clone();
        config.interfaces = self.interfaces.clone();
        config.excluded_interfaces = self.excluded_interfaces.clone();
        config
    }

    /// Prints and returns that no server was found, or none called `name` but `others`, and what to try.
    pub(crate) fn report_not_found(&self, name: Option<&str>, others: &[halloo::ServerInfo]) -> String {
        let without_network = !self.local && !halloo::has_network();
        let report = not_found::report(name, others, self.discovery_port, self.app.as_deref(), without_network);
        output::report(&report);
        report
    }
}

/// Parses the command line. Exits with an error message if it is invalid.
pub(crate) fn parse() -> Arguments {
    let convert = |mut matches| Arguments::from_arg_matches_mut(&mut matches);
    let arguments = command().try_get_matches().and_then(convert).and_then(check_values);
    arguments.unwrap_or_else(|error| hidden_tokens::hide_in(usage_tips::add(error, &command())).exit())
}

/// Checks what clap cannot check, because it repeats invalid values, which may contain a token.
fn check_values(arguments: Arguments) -> Result<Arguments, clap::Error> {
    let invalid = |error: &str| Err(command().error(ErrorKind::ValueValidation, error));
    if let None | Some(Command::Serve(_)) = &arguments.command {
        let serve = if let Some(Command::Serve(serve)) = &arguments.command { serve } else { &arguments.serve };
        // Neither a server without a token nor one with an unknown token is what the user meant.
        if serve.token.as_ref().is_some_and(Secret::is_empty) {
            return invalid(
                "the token is empty; give one of 16 to 256 characters in HALLOO_TOKEN, unset HALLOO_TOKEN to let clients \
                 connect without a token, or use `--token` without a value for a random token",
            );
        }
    }
    let target = match &arguments.command {
        Some(Command::Connect(connect)) => connect.target.as_deref(),
        Some(Command::Status(status)) => status.server.as_deref(),
        _ => None,
    };
    if let Some(address) = target.and_then(address_typo::corrected) {
        return invalid(&format!("the address of the server is mistyped; write `{address}`"));
    }
    let token = match &arguments.command {
        None => arguments.serve.token.as_ref(),
        Some(Command::Serve(serve)) => serve.token.as_ref(),
        Some(Command::Connect(connect)) => connect.credentials.token.as_ref(),
        Some(Command::Status(status)) => status.credentials.token.as_ref(),
        Some(_) => None,
    };
    match token.map(Secret::token) {
        Some(Err(error)) => invalid(&format!("invalid value for '--token': {error}")),
        _ => Ok(arguments),
    }
}

/// Returns the definition of the command line.
pub(crate) fn command() -> clap::Command {
    let command = shorten_help(configure_environment(Arguments::command()));
    command.mut_subcommands(|command| if command.get_name() == "serve" { shorten_help(command) } else { command })
}

/// Leaves the options that matter most to `-h`; `--help` has all of them.
fn shorten_help(command: clap::Command) -> clap::Command {
    let shorten = |arg: clap::Arg| {
        let in_short_help = SHORT_HELP.contains(&arg.get_id().as_str());
        arg.hide_short_help(!in_short_help)
    };
    command.mut_args(shorten).after_help(SHORT_HELP_END).after_long_help(EXAMPLES)
}

/// Makes a flag off if its environment variable is empty, `0`, `false`, `no` or `off`, and on if it has another value.
/// Hides the values of variables in the help.
fn configure_environment(command: clap::Command) -> clap::Command {
    let variable = |arg: clap::Arg| match arg.get_action() {
        ArgAction::SetTrue => arg.hide_env_values(true).value_parser(FalseyValueParser::new()),
        _ => arg.hide_env_values(true),
    };
    command.mut_args(variable).mut_subcommands(configure_environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_limits_messages_as_the_library_does_unless_told_otherwise() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).map(|arguments| arguments.command.unwrap());
        let size = |options: &str| match parse(&format!("halloo connect den{options}")) {
            Ok(Command::Connect(connect)) => Some(connect.max_message_bytes),
            _ => None,
        };
        assert_eq!(size(""), Some(halloo::ClientConfig::new("den").messages.max_message_bytes));
        for option in [" --max-message-bytes 3MiB", " --max-message 3145728"] {
            assert_eq!(size(option), Some(3 * 1024 * 1024));
        }
        for invalid in [" --max-message-bytes 0", " --max-message-bytes 2GiB", " --max-message-bytes much"] {
            assert_eq!(size(invalid), None, "{invalid}");
        }
    }

    /// No option is accepted and then ignored.
    #[test]
    fn status_and_connect_apply_all_search_options() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).unwrap().command.unwrap();
        let common = "--discovery-port 9000 --app Tanks --interface wlan0 --no-interface docker*";
        for (option, mdns) in [("--local", true), ("--no-mdns", false)] {
            let options = format!("{option} {common}");
            let Command::Status(status) = parse(&format!("halloo status den {options}")) else { panic!() };
            let Command::Connect(connect) = parse(&format!("halloo connect den {options}")) else { panic!() };
            for search in [status.search(), connect.search()] {
                assert_eq!((search.browser.mdns, search.browser.local), (mdns, mdns));
                assert_eq!(search.browser.discovery_port, 9000);
                assert_eq!(search.browser.app.as_deref(), Some("Tanks"));
                assert_eq!(search.browser.interfaces, ["wlan0"]);
                assert_eq!(search.browser.excluded_interfaces, ["docker*"]);
            }
        }
    }

    #[test]
    fn short_help_has_the_commands_and_six_options_and_the_long_one_everything() {
        let mut command = command();
        let short = command.render_help().to_string();
        let long = command.render_long_help().to_string();
        let with_option = |text: &str| text.lines().filter(|line| line.contains(" --")).count();
        // With `--help` and `--version`.
        assert_eq!(with_option(&short), SHORT_HELP.len() + 3, "{short}");
        assert!(short.lines().count() <= 45, "{short}");
        for name in SHORT_HELP {
            assert!(short.contains(&format!("--{name}")), "{name}");
        }
        let names = command.get_subcommands().map(clap::Command::get_name).filter(|name| *name != "help");
        assert!(names.eq(COMMANDS));
        for subcommand in command.get_subcommands() {
            assert!(short.contains(&format!("\n  {} ", subcommand.get_name())), "{short}");
        }
        for arg in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(long.contains(&format!("--{arg}")), "{arg}");
        }
    }
}
