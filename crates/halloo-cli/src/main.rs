//! The command line of halloo.

mod args;
mod banner;
mod discover;
mod input;
mod json;
mod log;
mod output;
mod screen;
mod serve;
mod status;
mod status_line;
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
    log::start(arguments.quiet, arguments.verbose, &output, seen);
    let outcome = match command {
        Command::Serve(serve) => {
            let outcome = serve::run(&serve, arguments.quiet, &output);
            // Also when it did not come to a clean end.
            let ended = output.end();
            outcome.and(ended.map_err(Into::into))
        }
        Command::Discover(discover) => match discover::run(&discover) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(4),
            Err(error) => Err(error),
        },
        Command::Status { url } => match status::run(url.as_deref()) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(4),
            Err(error) => Err(error),
        },
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut args::command(), "halloo", &mut io::stdout());
            Ok(())
        }
        Command::Man => clap_mangen::Man::new(args::command()).render(&mut io::stdout()).map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output had enough of it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("halloo: {error:#}");
            match error.downcast_ref::<halloo::StartError>() {
                Some(halloo::StartError::Bind { .. }) => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
