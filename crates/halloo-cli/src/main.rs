//! The program `halloo`.

mod address_typo;
mod args;
#[cfg(feature = "cluster")]
mod cluster_args;
mod hidden_tokens;
mod own_pages;
mod pad_file;
mod secret;
mod serve_args;
mod setting_args;
mod tls_mode;
mod token_file;
mod usage_tips;
mod value_parsers;

mod serve;

mod hangup;
mod inherited_socket;
mod service_manager;
mod signals;

mod banner;
mod json;
mod message_line;
mod pad_log;
mod qr_code;
mod status_line;

mod connect;

mod discover;
mod not_found;
mod table;

mod named;
mod status;

mod doctor;

#[cfg(feature = "cluster")]
mod cluster_doctor;

mod bench;

mod completions;
mod man;

mod input;

mod output;
mod screen;

mod log;
mod log_budget;

mod advice;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use args::Command;
use output::Output;

fn main() -> ExitCode {
    let arguments = args::parse();
    output::choose_colours(arguments.color);
    let output = Arc::new(Output::new());
    let command = arguments.command.unwrap_or(Command::Serve(arguments.serve));
    let hidden_events = match &command {
        Command::Serve(serve) => serve::hidden_events(serve, &output),
        _ => &[],
    };
    // The clients of a benchmark are not logged.
    let quiet = arguments.quiet || matches!(command, Command::Bench { .. });
    let log = log::start(quiet, arguments.verbose, &output, hidden_events);
    let result = run(command, arguments.quiet, &output);
    log.flush();
    // Closed also after an error.
    let closed = output.close();
    match result.and_then(|code| closed.map(|()| code).map_err(Into::into)) {
        Ok(code) => code,
        // The reader of standard output closed it, which is not an error.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let advice = advice::for_error(&error).map_or_else(String::new, |advice| format!("; {advice}"));
            output::report(&format!("{error:#}{advice}"));
            match error.downcast_ref::<halloo::StartError>() {
                Some(halloo::StartError::Bind { .. }) => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(command: Command, quiet: bool, output: &Arc<Output>) -> anyhow::Result<ExitCode> {
    let found_or_4 = |found| if found { ExitCode::SUCCESS } else { ExitCode::from(4) };
    match command {
        Command::Serve(serve) => serve::run(&serve, quiet, output)?,
        Command::Discover(discover) => return discover::run(&discover, output).map(found_or_4),
        Command::Connect(connect) => return connect::run(&connect, output).map(found_or_4),
        Command::Status(status) => return status::run(&status).map(found_or_4),
        #[cfg(feature = "cluster")]
        Command::Doctor { json, brokers, cluster_name } => {
            let mut diagnosis = halloo::diagnose();
            cluster_doctor::add_to(&mut diagnosis, brokers.config(cluster_name.as_deref())?.as_ref())?;
            return doctor::report(&diagnosis, json).map(|ok| if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        #[cfg(not(feature = "cluster"))]
        Command::Doctor { json } => {
            return doctor::report(&halloo::diagnose(), json)
                .map(|ok| if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Bench { json } => bench::run(json)?,
        Command::Completions { shell } => {
            completions::write(shell, &mut args::command(), &mut io::stdout())?;
        }
        Command::Man { command } => man::write(command.as_deref(), &mut io::stdout())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
