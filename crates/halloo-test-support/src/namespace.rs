//! Tests that run in a network namespace of their own, so that nothing leaves this machine.

use std::process::Command;

use crate::remote_role;

/// The environment variable that is set in the process inside the namespace, to the name of the test.
pub(crate) const TEST_VARIABLE: &str = "HALLOO_TEST_NAMESPACE";

/// Waits until each interface with a carrier is also shown as running, and no other: on a busy machine, the kernel takes a
/// moment.
pub(crate) const SETTLE: &str = "i=0; while ip -o link | grep -q 'LOWER_UP.* state [DL]\\|NO-CARRIER.* state UP' && \
                                 [ $i -lt 500 ]; do i=$((i + 1)); sleep 0.01; done";

/// Returns `true` in the process inside the namespace, where the test goes on. Otherwise runs the test `name` there,
/// after the shell commands `setup` made its networks, and returns `false`.
///
/// Without the means to make a namespace the test is skipped, but with `CI=true` it fails.
///
/// ```ignore
/// #[test]
/// fn name_of_the_test() {
///     if !in_namespace("name_of_the_test", "ip addr add 192.168.77.1/24 dev lo") {
///         return;
///     }
///     // Here 192.168.77.1 is an address of this machine.
/// }
/// ```
///
/// # Panics
/// If the test fails inside the namespace.
pub fn in_namespace(name: &str, setup: &str) -> bool {
    remote_role::run_role();
    if std::env::var_os(TEST_VARIABLE).is_some() {
        return true;
    }
    let probe = Command::new("unshare").args(["-Urn", "ip", "link", "set", "lo", "up"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "cannot create a network namespace; `unshare` and `ip` with user namespaces are needed");
        eprintln!("SKIPPED: cannot create a network namespace");
        return false;
    }
    let script = format!("set -e\nip link set lo up\n{setup}\n{SETTLE}\nexec \"$0\" --exact {name} --nocapture");
    let program = std::env::current_exe().unwrap();
    let run =
        Command::new("unshare").args(["-Urn", "sh", "-c", &script]).arg(program).env(TEST_VARIABLE, name).output();
    let run = run.unwrap();
    let output = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    if !run.status.success() || !output.contains("1 passed") {
        // Indented, so that its summary does not count as one of the whole run.
        output.lines().for_each(|line| eprintln!("  | {line}"));
        panic!("inside the namespace: {}", reason(&output));
    }
    false
}

/// Returns where and why the test that printed `output` failed: the lines of its panic, up to an empty one or a backtrace.
fn reason(output: &str) -> String {
    let panic = output.lines().skip_while(|line| !line.contains("panicked at "));
    let lines: Vec<&str> = panic.take_while(|line| !line.is_empty() && *line != "stack backtrace:").collect();
    lines.join("\n")
}

/// Runs shell commands as root of the current namespace, and waits until the kernel has done what they say.
///
/// # Panics
/// If one of them fails.
#[track_caller]
pub fn shell(commands: &str) {
    let status = Command::new("sh").args(["-ec", &format!("{commands}\n{SETTLE}")]).status().unwrap();
    assert!(status.success(), "{commands}");
}
