//! Runs the test programs of the workspace, several at a time: most of their time is spent waiting.

mod output;
mod program;

use std::path::Path;
use std::sync::Mutex;
use std::thread;

use anyhow::Result;

pub(crate) use self::output::TestOutput;
use self::program::TestProgram;
use crate::environments::Environments;
use crate::report::Tally;

/// Compiles and runs all tests, prints the output of each program when it ends, and adds up their results.
pub(crate) fn run(root: &Path, environments: &Environments) -> Result<Tally> {
    let programs = Mutex::new(TestProgram::build_all(root, environments)?);
    let total = Mutex::new(Tally::default());
    // The last ones, of the program and of the documentation, take the longest, so they start first.
    let next = || programs.lock().ok()?.pop();
    let work = || {
        while let Some(program) = next() {
            let result = program.run();
            let Ok(mut total) = total.lock() else { return };
            total.add(match result {
                Ok((output, tally)) => {
                    println!("{output}");
                    tally
                }
                Err(error) => Tally::failure(format!("{error:#}")),
            });
        }
    };
    let workers = thread::available_parallelism().map_or(2, |cores| cores.get() + 1);
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    Ok(total.into_inner().unwrap_or_default())
}
