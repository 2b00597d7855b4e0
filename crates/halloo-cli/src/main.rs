//! The command line of halloo.

mod args;
mod banner;
mod discover;
mod json;
mod serve;
mod status;
mod table;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing::level_filters::LevelFilter;

use args::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr(&arguments);
    let outcome = match arguments.command {
        None => serve::run(&arguments.serve),
        Some(Command::Serve(serve)) => serve::run(&serve),
        Some(Command::Discover(discover)) => match discover::run(&discover) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(4),
            Err(error) => Err(error),
        },
        Some(Command::Status(status)) => match status::run(&status) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(4),
            Err(error) => Err(error),
        },
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Arguments::command(), "halloo", &mut std::io::stdout());
            Ok(())
        }
        Some(Command::Man) => {
            clap_mangen::Man::new(Arguments::command()).render(&mut std::io::stdout()).map_err(Into::into)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("halloo: {error:#}");
            match error.downcast_ref::<halloo::StartError>() {
                Some(halloo::StartError::Bind { .. }) => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn log_to_stderr(arguments: &Arguments) {
    let level = match (arguments.quiet, arguments.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::INFO,
        (_, 1) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(colours);
    subscriber.with_target(false).without_time().init();
}
