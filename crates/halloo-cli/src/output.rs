//! The one gate to standard output and standard error: lines leave whole and in order, and pass over the status line
//! instead of tearing it.
//!
//! Data goes to standard output, the log to standard error. What is meant for a person's eyes, the banner, goes to
//! whichever of the two is a terminal, standard output first: nobody's data is spoilt by it there. The status line
//! needs standard output to be a terminal. Behind a pipe stands another program that may well write to the same
//! terminal as our standard error, and it does not know about the status line.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstream::{AutoStream, ColorChoice};

use crate::screen::{self, Size};

/// Data that may wait for more before it is written.
const WAITING: usize = 64 * 1024;

/// Standard output and standard error.
pub(crate) struct Output {
    /// Whether standard output is a terminal whose cursor can be moved.
    has_screen: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Lines of data that were not written yet.
    waiting: Vec<u8>,
    /// Lines of the log that wait for the banner, if it is to come.
    held: Option<Vec<u8>>,
    /// No status line comes any more.
    ended: bool,
    /// Whether the input row and the status line are on the screen.
    drawn: bool,
    /// The status line and the width it was drawn for.
    status: Option<(String, usize)>,
    /// Lines of data for which there was no room where they are recorded, since there last was.
    lost: u64,
    /// Of all of them.
    lost_in_all: u64,
    /// The last line there was not written to its end.
    torn: bool,
}

impl Output {
    pub(crate) fn new() -> Output {
        // On Windows a console has to be asked first; elsewhere the first condition is always met.
        let obeys =
            || anstyle_query::windows::enable_ansi_colors() != Some(false) && anstyle_query::term_supports_color();
        Output { has_screen: io::stdout().is_terminal() && obeys(), inner: Mutex::default() }
    }

    /// Returns whether standard output is a terminal.
    pub(crate) fn is_watched(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Queues one or more whole lines of data; they are written by [`Output::flush`] at the latest.
    pub(crate) fn data(&self, lines: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        inner.waiting.extend_from_slice(lines);
        if inner.waiting.len() >= WAITING { inner.flush() } else { Ok(()) }
    }

    /// Writes the data that waits.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.lock().flush()
    }

    /// Keeps the log back until [`Output::show`] or [`Output::end`], so that the banner stands above it.
    pub(crate) fn hold_log(&self) {
        self.lock().held = Some(Vec::new());
    }

    /// Writes lines of the log.
    pub(crate) fn log(&self, lines: &[u8]) {
        let mut inner = self.lock();
        if let Some(held) = &mut inner.held {
            return held.extend_from_slice(lines);
        }
        // An error of standard output is told to whoever writes data, and one of standard error to nobody.
        let _ = inner.flush();
        let _ = match io::stderr().is_terminal() {
            true => inner.write_above(lines, Some(&mut io::stderr())),
            false => io::stderr().write_all(lines),
        };
    }

    /// Shows `text` to a person, if there is one.
    pub(crate) fn show(&self, text: &str) {
        let mut inner = self.lock();
        let _ = match (io::stdout().is_terminal(), io::stderr().is_terminal()) {
            (true, _) => io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()),
            (false, true) => io::stderr().write_all(text.as_bytes()),
            (false, false) => Ok(()),
        };
        inner.release_log();
    }

    /// Sets the status line, and draws it if that changes anything.
    pub(crate) fn set_status(&self, status: String) {
        if !self.has_screen {
            return;
        }
        let mut inner = self.lock();
        let columns = size().map_or(0, |size| size.columns);
        if inner.ended {
            return;
        }
        if inner.status.as_ref().is_none_or(|(last, width)| *last != status || *width != columns) {
            inner.status = Some((status, columns));
            let _ = inner.draw();
        }
    }

    /// The person at the terminal pressed Enter, which moved the cursor on to the status line.
    pub(crate) fn entered(&self) {
        let mut inner = self.lock();
        if inner.drawn {
            let _ = write_screen(screen::CLEAR);
            let _ = inner.draw();
        }
    }

    /// Writes what waits and takes the status line away for good. An error when lines were lost for want of room.
    pub(crate) fn end(&self) -> io::Result<()> {
        let mut inner = self.lock();
        let outcome = inner.flush().and_then(|()| match inner.lost_in_all {
            0 => Ok(()),
            lost => {
                Err(io::Error::other(format!("{lost} lines of standard output were lost because the disk is full")))
            }
        });
        inner.release_log();
        inner.ended = true;
        inner.undraw().and(outcome)
    }

    /// The same for a process that ends at once, even in the middle of a write.
    pub(crate) fn abandon(&self) {
        if let Ok(mut inner) = self.inner.try_lock() {
            let _ = inner.undraw();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        let outcome = if self.drawn { self.write_above(&waiting, None) } else { self.record(&waiting) };
        waiting.clear();
        self.waiting = waiting;
        outcome
    }

    /// Writes whole lines to standard output. When it is a file on a disk that is full, the server goes on without it, and
    /// with it once there is room again: the lines between are lost, counted and told.
    fn record(&mut self, lines: &[u8]) -> io::Result<()> {
        self.undraw()?;
        let mut stdout = io::stdout().lock();
        let outcome = if self.torn { stdout.write_all(b"\n") } else { Ok(()) };
        let mut taken = 0;
        let outcome = outcome.and_then(|()| {
            self.torn = false;
            while taken < lines.len() {
                match stdout.write(&lines[taken..]) {
                    Ok(count) => taken += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            stdout.flush()
        });
        match outcome {
            Err(error) if is_full(&error) => {
                if self.lost == 0 {
                    tracing::error!(
                        "cannot write to standard output, so messages are lost until there is space again: {error}"
                    );
                }
                self.torn |= taken > 0 && lines[taken - 1] != b'\n';
                let lost = lines[taken..].iter().filter(|&&byte| byte == b'\n').count() as u64;
                (self.lost, self.lost_in_all) = (self.lost + lost, self.lost_in_all + lost);
                Ok(())
            }
            Ok(()) if self.lost > 0 => {
                let lost = std::mem::take(&mut self.lost);
                tracing::warn!("standard output accepts data again; lines lost: {lost}");
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Writes whole lines to `other`, or to standard output, above the input row if there is one.
    fn write_above(&mut self, lines: &[u8], mut other: Option<&mut dyn Write>) -> io::Result<()> {
        let size = size().filter(|size| size.is_enough());
        let (true, Some(size)) = (self.drawn, size) else {
            self.undraw()?;
            return write(other.unwrap_or(&mut io::stdout()), lines);
        };
        let text = String::from_utf8_lossy(lines);
        let rows = screen::wrap(text.strip_suffix('\n').unwrap_or(&text), size.columns);
        for rows in rows.chunks(size.rows - 2) {
            let (room, rows) = (screen::above(rows.len()), rows.join("\r\n"));
            match &mut other {
                // In one piece, for somebody may be typing, and his letters must not land among the rows.
                None => write_screen(&format!("{room}{rows}{}", screen::BACK))?,
                Some(other) => {
                    write_screen(&room)?;
                    write(other, rows.as_bytes())?;
                    write_screen(screen::BACK)?;
                }
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        let (Some((status, _)), Some(size)) = (&self.status, size()) else { return Ok(()) };
        if size.is_enough() {
            write_screen(&screen::below(status, size))?;
            self.drawn = true;
        }
        Ok(())
    }

    fn release_log(&mut self) {
        if let Some(held) = self.held.take() {
            let _ = io::stderr().write_all(&held);
        }
    }

    fn undraw(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.drawn) { write_screen(screen::CLEAR) } else { Ok(()) }
    }
}

/// Sets what `--color` says, for everything that is printed from now on.
pub(crate) fn choose_colours(choice: clap::ColorChoice) {
    let choice = match choice {
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    };
    choice.write_global();
}

/// Returns whether to colour standard output.
pub(crate) fn colours_on_stdout() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Returns whether to colour standard error.
pub(crate) fn colours_on_stderr() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Returns the size of the terminal at standard output, if it is one.
pub(crate) fn size() -> Option<Size> {
    let (columns, rows) = terminal_size::terminal_size_of(io::stdout())?;
    Some(Size { columns: columns.0.into(), rows: rows.0.into() })
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn write_screen(text: &str) -> io::Result<()> {
    write(&mut io::stdout(), text.as_bytes())
}

fn write(stream: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
