//! Counts the results in the output of test programs and finds out which tests failed, and why.

use crate::report::Tally;

/// The output of the test programs so far.
#[derive(Debug, Default)]
pub(crate) struct TestOutput {
    tally: Tally,
    /// The failed tests of the current test program.
    failures: Vec<Failure>,
    section: Section,
    /// Whether the current test program has started its tests and printed no result yet.
    is_running: bool,
    /// The last test that it reported.
    last_test: String,
}

/// A failed test.
#[derive(Debug)]
struct Failure {
    test: String,
    /// Where and why the test failed; empty if it is unknown.
    reason: String,
}

/// The part of the output of a test program that the next line belongs to.
#[derive(Debug, Default, PartialEq)]
enum Section {
    /// The list of tests and their results.
    #[default]
    Results,
    /// What the last of the failures printed.
    Output,
    /// The message of a panic.
    Panic,
    /// The list of the names of all failed tests.
    Names,
}

impl TestOutput {
    pub(crate) fn line(&mut self, line: &str) {
        if self.section == Section::Results && is_start(line) {
            self.handle_killed();
            self.is_running = true;
        } else if let Some(tally) = parse_result(line) {
            self.is_running = false;
            self.tally.add(tally);
            self.tally.failures.extend(self.failures.drain(..).map(|failure| failure.line()));
            self.section = Section::Results;
        } else if line == "failures:" {
            self.section = Section::Names;
        } else if let Some(test) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.start_output(test);
        } else {
            match self.section {
                Section::Results => {
                    if let Some((test, _)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
                        test.clone_into(&mut self.last_test);
                    }
                }
                Section::Output => self.output(line),
                Section::Panic => self.panic_message(line),
                Section::Names => self.name(line),
            }
        }
    }

    /// Returns the sum of all test programs.
    pub(crate) fn finish(mut self) -> Tally {
        self.handle_killed();
        self.tally
    }

    /// Counts the current test program as failed if it ended without a result: a signal killed it, or it exited.
    fn handle_killed(&mut self) {
        if std::mem::take(&mut self.is_running) {
            let last = std::mem::take(&mut self.last_test);
            let last = if last.is_empty() { "its first tests".to_owned() } else { format!("tests after {last}") };
            self.tally.add(Tally::failure(format!("a test program ended without a result during {last}")));
        }
        self.last_test.clear();
    }

    fn start_output(&mut self, test: &str) {
        self.failures.push(Failure { test: test.to_owned(), reason: String::new() });
        self.section = Section::Output;
    }

    /// Reads a line that a failed test printed.
    fn output(&mut self, line: &str) {
        let Some(failure) = self.failures.last_mut() else { return };
        if let Some((thread, place)) = parse_panic(line) {
            // A panic of the test itself is the reason. That of another thread is only if there is no other.
            if failure.reason.is_empty() || thread == failure.test {
                failure.reason = place.to_owned();
                self.section = Section::Panic;
            }
        } else if failure.reason.is_empty() {
            let ended = ["Error: ", "note: test did not panic"].iter().any(|start| line.starts_with(start));
            failure.reason.push_str(if ended { line } else { "" });
        }
    }

    /// Reads a line of the message of a panic, which ends before an empty line, a note or a backtrace.
    fn panic_message(&mut self, line: &str) {
        if line.is_empty() || line.starts_with("note: ") || line == "stack backtrace:" {
            self.section = Section::Output;
        } else if let Some(failure) = self.failures.last_mut() {
            failure.reason = format!("{} {}", failure.reason, line.trim());
        }
    }

    /// Reads a line of the list of names. It also contains the tests that printed nothing.
    fn name(&mut self, line: &str) {
        let Some(test) = line.strip_prefix("    ") else { return };
        if !self.failures.iter().any(|failure| failure.test == test) {
            self.failures.push(Failure { test: test.to_owned(), reason: String::new() });
        }
    }
}

impl Failure {
    fn line(&self) -> String {
        if self.reason.is_empty() { self.test.clone() } else { format!("{}: {}", self.test, self.reason) }
    }
}

/// Parses `thread 'ports::falls_back' (4711) panicked at tests/ports.rs:12:5:` into the thread and the place.
fn parse_panic(line: &str) -> Option<(&str, &str)> {
    let (thread, place) = line.strip_prefix("thread '")?.split_once(" panicked at ")?;
    Some((thread.rsplit_once('\'')?.0, place))
}

/// Returns whether this line is the first one of a test program: `running 15 tests`.
fn is_start(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    matches!(words[..], ["running", count, "test" | "tests"] if count.parse::<usize>().is_ok())
}

/// Parses `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
fn parse_result(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut tally = Tally::default();
    for part in counts.split("; ") {
        let Some((number, what)) = part.split_once(' ') else { continue };
        match what {
            "passed" => tally.passed = number.parse().ok()?,
            "failed" => tally.failed = number.parse().ok()?,
            "ignored" => tally.skipped = number.parse().ok()?,
            _ => {}
        }
    }
    Some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Tally {
        let mut output = TestOutput::default();
        text.lines().for_each(|line| output.line(line));
        output.finish()
    }

    const FAILED: &str = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out";

    #[test]
    fn the_result_of_a_test_program_is_parsed() {
        assert_eq!(parse_result(FAILED), Some(Tally { passed: 12, failed: 1, skipped: 2, failures: Vec::new() }));
        assert_eq!(parse_result("test ports::falls_back ... ok"), None);
    }

    #[test]
    fn results_of_all_test_programs_are_added() {
        let tally = read(&format!("running 15 tests\n{FAILED}\nrunning 2 tests\n{FAILED}\n"));
        assert_eq!((tally.passed, tally.failed, tally.skipped), (24, 2, 4));
    }

    #[test]
    fn a_test_program_that_is_killed_is_a_failure_besides_those_of_the_others() {
        let killed = "running 2 tests\ntest a::first ... ok\n";
        let expected = "a test program ended without a result during tests after a::first";
        for text in [format!("{killed}running 15 tests\n{FAILED}\n"), format!("running 15 tests\n{FAILED}\n{killed}")] {
            let tally = read(&text);
            assert_eq!((tally.failed, &tally.failures[..]), (2, &[expected.to_owned()][..]));
        }
        assert_eq!(
            read("running 0 tests\n").failures,
            ["a test program ended without a result during its first tests"]
        );
    }

    #[test]
    fn a_failed_assertion_is_kept_with_its_place_and_values() {
        let tally = read(&format!(
            "test ports::falls_back ... FAILED\n\nfailures:\n\n---- ports::falls_back stdout ----\nthe port is 8766\n\n\
             thread 'ports::falls_back' (25592) panicked at tests/ports.rs:5:19:\n\
             assertion `left == right` failed: the next port\n  left: 8767\n right: 8766\n\
             stack backtrace:\n   0: rust_begin_unwind\n             at /rustc/library/std/src/panicking.rs:689:5\n\
             note: Some details are omitted\n\n\nfailures:\n    ports::falls_back\n\n{FAILED}\n"
        ));
        let expected = "ports::falls_back: tests/ports.rs:5:19: assertion `left == right` failed: the next port \
                        left: 8767 right: 8766";
        assert_eq!(tally.failures, [expected]);
    }

    #[test]
    fn the_panic_of_the_test_precedes_that_of_its_threads() {
        let output = |panics: &str| format!("---- a stdout ----\n\n{panics}\n\nfailures:\n    a\n\n{FAILED}\n");
        let helper = "thread 'helper' (2) panicked at src/a.rs:1:1:\nhelper died\nnote: run with `RUST_BACKTRACE=1`\n";
        let own = "thread 'a' (1) panicked at src/a.rs:2:1:\njoin failed\n";
        assert_eq!(read(&output(helper)).failures, ["a: src/a.rs:1:1: helper died"]);
        for panics in [format!("{helper}\n{own}"), format!("{own}\n{helper}")] {
            assert_eq!(read(&output(&panics)).failures, ["a: src/a.rs:2:1: join failed"]);
        }
    }

    #[test]
    fn tests_without_a_panic_are_named() {
        let tally = read(&format!(
            "---- returns stdout ----\nsome output\nError: \"no route\"\n\n---- panics stdout ----\n\
             note: test did not panic as expected at src/lib.rs:7:28\n\nfailures:\n    panics\n    returns\n    \
             silent\n\n{FAILED}\n"
        ));
        let panics = "panics: note: test did not panic as expected at src/lib.rs:7:28";
        assert_eq!(tally.failures, ["returns: Error: \"no route\"", panics, "silent"]);
    }

    #[test]
    fn an_example_in_the_documentation_is_named_by_its_line() {
        let tally = read(&format!(
            "---- src/lib.rs - f (line 1) stdout ----\nTest executable failed (exit status: 101).\n\nstderr:\n\n\
             thread 'main' (7) panicked at /tmp/doctest/doctest.rs:6:1:\nassertion failed: false\n\n\n\
             failures:\n    src/lib.rs - f (line 1)\n\n{FAILED}\n"
        ));
        assert_eq!(tally.failures, ["src/lib.rs - f (line 1): /tmp/doctest/doctest.rs:6:1: assertion failed: false"]);
    }
}
