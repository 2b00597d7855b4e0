//! The command line of halloo.

mod advice;
mod args;
mod banner;
mod bench;
mod connect;
mod discover;
mod doctor;
mod input;
mod json;
mod log;
mod message_line;
mod output;
mod screen;
mod serve;
mod setting_args;
mod status;
mod status_line;
mod table;
mod values;

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
    let seen = match &command {
        Command::Serve(serve) => serve::seen(serve, &output),
        _ => &[],
    };
    // The clients of a measurement are not logged.
    let quiet = arguments.quiet || matches!(command, Command::Bench { .. });
    let log = log::start(quiet, arguments.verbose, &output, seen);
    let outcome = run(command, arguments.quiet, &output);
    log.flush();
    // Also after an error.
    let ended = output.end();
    match outcome.and_then(|code| ended.map(|()| code).map_err(Into::into)) {
        Ok(code) => code,
        // The reader of our output has closed it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let advice = advice::options_for(&error).map_or_else(String::new, |advice| format!("; {advice}"));
            eprintln!("halloo: {error:#}{advice}");
            match error.downcast_ref::<halloo::StartError>() {
                Some(halloo::StartError::Bind { .. }) => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(command: Command, quiet: bool, output: &Arc<Output>) -> anyhow::Result<ExitCode> {
    let found = |found| if found { ExitCode::SUCCESS } else { ExitCode::from(4) };
    match command {
        Command::Serve(serve) => serve::run(&serve, quiet, output)?,
        Command::Discover(discover) => return discover::run(&discover, output).map(found),
        Command::Connect(connect) => return connect::run(&connect, output).map(found),
        Command::Status(status) => return status::run(&status).map(found),
        Command::Doctor { json } => return doctor::run(json).map(|well| ExitCode::from(u8::from(!well))),
        Command::Bench { json } => bench::run(json)?,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut args::command(), "halloo", &mut io::stdout());
        }
        Command::Man => clap_mangen::Man::new(args::command()).render(&mut io::stdout())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
