//! Runs a model of threads in every order that their locks allow, with loom.

/// Preemptions per run of a model. Errors that need more are rare, and the number of runs grows exponentially.
const PREEMPTIONS: usize = 3;

/// Runs `body` in every order of its threads. Panics when an assertion fails, or when every thread waits.
#[allow(clippy::print_stdout, reason = "the programs print their results")]
pub fn model(name: &str, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(body);
    println!("{name}: ok");
}
