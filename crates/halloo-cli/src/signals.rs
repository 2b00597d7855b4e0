//! Signals that stop the program: Ctrl-C (SIGINT), SIGTERM and SIGHUP; on Windows, the events of the console. Without a
//! terminal, SIGHUP can mean to read files again, as it does for other programs that run in the background.

use anyhow::Context;

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Stop,
    /// To read files again. Never sent on Windows.
    Reload,
}

/// Calls `handler` for each signal, on a thread of its own. SIGHUP is [`Signal::Reload`] if the program was started without a
/// terminal that could have hung up.
///
/// SIGHUP is left alone if the program was started with SIGHUP ignored, as by `nohup`. SIGINT is not: the shell starts
/// the background jobs of a script with SIGINT ignored, and Ctrl-C shall stop the server together with the script.
pub(crate) fn set_handler(handler: impl FnMut(Signal) + Send + 'static) -> anyhow::Result<()> {
    register(handler).context("cannot handle signals")
}

#[cfg(unix)]
fn register(mut handler: impl FnMut(Signal) + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    if !is_sighup_ignored() {
        signals.add_signal(SIGHUP)?;
    }
    let has_terminal = std::fs::File::open("/dev/tty").is_ok();
    let meaning = move |signal| if signal == SIGHUP && !has_terminal { Signal::Reload } else { Signal::Stop };
    std::thread::Builder::new().spawn(move || signals.forever().for_each(|signal| handler(meaning(signal))))?;
    Ok(())
}

#[cfg(windows)]
fn register(mut handler: impl FnMut(Signal) + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || handler(Signal::Stop))
}

/// Returns whether SIGHUP is ignored, which safe code cannot ask the system directly.
#[cfg(unix)]
fn is_sighup_ignored() -> bool {
    use std::process::{Command, Stdio};

    let status = std::fs::read_to_string("/proc/self/status").ok();
    status.as_deref().and_then(ignores_sighup).unwrap_or_else(|| {
        // A child inherits what is ignored: it survives the signal only then.
        let mut child = Command::new("sh");
        child.args(["-c", "kill -HUP $$"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        child.status().is_ok_and(|status| status.success())
    })
}

/// Reads whether SIGHUP is ignored from the text of `/proc/self/status` (proc(5)).
#[cfg(unix)]
fn ignores_sighup(status: &str) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask & 1 << (signal_hook::consts::SIGHUP - 1) != 0)
}

#[cfg(all(test, unix))]
mod tests {
    use super::ignores_sighup;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = |mask| format!("Name:\thalloo\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t0\n");
        assert_eq!(ignores_sighup(&status("0000000000001001")), Some(true));
        assert_eq!(ignores_sighup(&status("0000000000001002")), Some(false));
        assert_eq!(ignores_sighup("Name:\thalloo\n"), None);
    }
}
