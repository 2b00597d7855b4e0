//! Writes to standard output and standard error: whole lines in order, above the status line.
//!
//! Data goes to standard output, the log to standard error. The banner goes to the one of the two that is a terminal,
//! preferably to standard output, and never into data that another program reads. The status line requires that
//! standard output is a terminal: the reader of a pipe may write to the same terminal as our standard error, and does
//! not know about the status line.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstream::{AutoStream, ColorChoice};
use halloo_proto::text::escape;

use crate::screen::{self, Size};

/// Bytes of data that are buffered before they are written.
const BUFFER_BYTES: usize = 64 * 1024;
/// Bytes of the longest line of a report; longer ones are truncated.
const MAX_REPORT_LINE_BYTES: usize = 4096;

/// Standard output and standard error.
pub(crate) struct Output {
    /// Whether standard output is a terminal that supports escape sequences.
    has_screen: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Lines of data that are not written yet.
    buffer: Vec<u8>,
    /// Lines of the log that are held back until the banner is shown.
    held_log: Option<Vec<u8>>,
    /// Whether the status line was removed for good.
    closed: bool,
    /// Whether the input row and the status line are on the screen.
    drawn: bool,
    /// The status line and the number of columns that it was drawn for.
    status: Option<(String, usize)>,
    /// Lines of data lost since the disk became full.
    lost_lines: u64,
    /// Lines of data lost since the start.
    lost_lines_total: u64,
    /// Whether the last line on standard output is incomplete.
    has_partial_line: bool,
}

impl Output {
    pub(crate) fn new() -> Output {
        // On Windows escape sequences must be enabled first; elsewhere the first condition is always met.
        let supports_escapes =
            || anstyle_query::windows::enable_ansi_colors() != Some(false) && anstyle_query::term_supports_color();
        Output { has_screen: io::stdout().is_terminal() && supports_escapes(), inner: Mutex::default() }
    }

    /// Returns whether standard output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Buffers one or more whole lines of data, which are written by [`Output::flush`] at the latest.
    pub(crate) fn write(&self, lines: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        inner.buffer.extend_from_slice(lines);
        if inner.buffer.len() >= BUFFER_BYTES { inner.flush() } else { Ok(()) }
    }

    /// Writes the buffered data.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.lock().flush()
    }

    /// Holds the log back until [`Output::show_banner`] or [`Output::close`], so that the banner comes first.
    pub(crate) fn hold_log(&self) {
        self.lock().held_log = Some(Vec::new());
    }

    /// Writes lines of the log.
    pub(crate) fn log(&self, lines: &[u8]) {
        let mut inner = self.lock();
        if let Some(held) = &mut inner.held_log {
            return held.extend_from_slice(lines);
        }
        // The next write of data reports an error of standard output. An error of standard error cannot be reported.
        let _ = inner.flush();
        let _ = match io::stderr().is_terminal() {
            true => inner.write_above(lines, Some(&mut io::stderr())),
            false => io::stderr().write_all(lines),
        };
    }

    /// Shows the banner on a terminal, if there is one, and releases the log.
    pub(crate) fn show_banner(&self, text: &str) {
        let mut inner = self.lock();
        let _ = match (io::stdout().is_terminal(), io::stderr().is_terminal()) {
            (true, _) => io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()),
            (false, true) => io::stderr().write_all(text.as_bytes()),
            (false, false) => Ok(()),
        };
        inner.release_log();
    }

    /// Sets the status line, and draws it if it or the size of the terminal changed.
    pub(crate) fn set_status(&self, status: String) {
        if !self.has_screen {
            return;
        }
        let mut inner = self.lock();
        let columns = terminal_size().map_or(0, |size| size.columns);
        if inner.closed {
            return;
        }
        if inner.status.as_ref().is_none_or(|(last, width)| *last != status || *width != columns) {
            inner.status = Some((status, columns));
            let _ = inner.draw();
        }
    }

    /// Redraws after the user pressed Enter, which moved the cursor to the status line.
    pub(crate) fn on_enter(&self) {
        let mut inner = self.lock();
        if inner.drawn {
            let _ = write_screen(screen::CLEAR);
            let _ = inner.draw();
        }
    }

    /// Writes the buffered data and removes the status line for good. Returns an error if the disk was full and lines
    /// were lost.
    pub(crate) fn close(&self) -> io::Result<()> {
        let mut inner = self.lock();
        let result = inner.flush().and_then(|()| match inner.lost_lines_total {
            0 => Ok(()),
            lost => {
                Err(io::Error::other(format!("{lost} lines of standard output were lost because the disk is full")))
            }
        });
        inner.release_log();
        inner.closed = true;
        inner.clear().and(result)
    }

    /// Removes the status line unless a write is in progress. For a process that exits immediately.
    pub(crate) fn try_clear(&self) {
        if let Ok(mut inner) = self.inner.try_lock() {
            let _ = inner.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = if self.drawn { self.write_above(&buffer, None) } else { self.write_stdout(&buffer) };
        buffer.clear();
        self.buffer = buffer;
        result
    }

    /// Writes whole lines to standard output. If it is a file and the disk is full, the lines are dropped, counted and
    /// reported, and the program continues.
    fn write_stdout(&mut self, lines: &[u8]) -> io::Result<()> {
        self.clear()?;
        let mut stdout = io::stdout().lock();
        let result = if self.has_partial_line { stdout.write_all(b"\n") } else { Ok(()) };
        let mut written = 0;
        let result = result.and_then(|()| {
            self.has_partial_line = false;
            while written < lines.len() {
                match stdout.write(&lines[written..]) {
                    Ok(count) => written += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            stdout.flush()
        });
        match result {
            Err(error) if is_disk_full(&error) => {
                if self.lost_lines == 0 {
                    tracing::error!(
                        "cannot write to standard output; lines are lost until the disk has free space: {error}"
                    );
                }
                self.has_partial_line |= written > 0 && lines[written - 1] != b'\n';
                let lost = lines[written..].iter().filter(|&&byte| byte == b'\n').count() as u64;
                self.lost_lines += lost;
                self.lost_lines_total += lost;
                Ok(())
            }
            Ok(()) if self.lost_lines > 0 => {
                let lost = std::mem::take(&mut self.lost_lines);
                tracing::warn!("standard output is writable again; lines lost: {lost}");
                Ok(())
            }
            result => result,
        }
    }

    /// Writes whole lines to `other`, or to standard output if it is `None`, above the input row if there is one.
    fn write_above(&mut self, lines: &[u8], mut other: Option<&mut dyn Write>) -> io::Result<()> {
        let size = terminal_size().filter(|size| size.fits_status_line());
        let (true, Some(size)) = (self.drawn, size) else {
            self.clear()?;
            return write(other.unwrap_or(&mut io::stdout()), lines);
        };
        let text = String::from_utf8_lossy(lines);
        let rows = screen::wrap(text.strip_suffix('\n').unwrap_or(&text), size.columns);
        for rows in rows.chunks(size.rows - 2) {
            let (space, rows) = (screen::insert_above(rows.len()), rows.join("\r\n"));
            match &mut other {
                // In one write, so that the echo of typed characters does not land among the rows.
                None => write_screen(&format!("{space}{rows}{}", screen::RESTORE_CURSOR))?,
                Some(other) => {
                    write_screen(&space)?;
                    write(other, rows.as_bytes())?;
                    write_screen(screen::RESTORE_CURSOR)?;
                }
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        let (Some((status, _)), Some(size)) = (&self.status, terminal_size()) else { return Ok(()) };
        if size.fits_status_line() {
            write_screen(&screen::draw_below(status, size))?;
            self.drawn = true;
        }
        Ok(())
    }

    fn release_log(&mut self) {
        if let Some(held) = self.held_log.take() {
            let _ = io::stderr().write_all(&held);
        }
    }

    fn clear(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.drawn) { write_screen(screen::CLEAR) } else { Ok(()) }
    }
}

/// Writes a message of the program to standard error, with each line escaped, since it may contain text from the network.
/// If that fails, there is no place left to report it.
pub(crate) fn report(text: &str) {
    let lines: Vec<String> = text.split('\n').map(|line| escape(line, MAX_REPORT_LINE_BYTES)).collect();
    let _ = writeln!(io::stderr(), "halloo: {}", lines.join("\n"));
}

/// Applies `--color` to everything that is printed from now on.
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

/// Returns the size of the terminal if standard output is one.
pub(crate) fn terminal_size() -> Option<Size> {
    let (columns, rows) = terminal_size::terminal_size_of(io::stdout())?;
    Some(Size { columns: columns.0.into(), rows: rows.0.into() })
}

fn is_disk_full(error: &io::Error) -> bool {
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
