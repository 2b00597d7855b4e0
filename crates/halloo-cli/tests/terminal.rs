//! `halloo serve` in a pseudo-terminal, whose output a terminal emulator interprets.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZero;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use halloo_test_support::{TEST_TIMEOUT, TempDir, unused_tcp_address, wait_until};
use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

const ROWS: u16 = 24;

/// `halloo serve` in a terminal of 24 rows.
struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    output: Receiver<Vec<u8>>,
    raw: Vec<u8>,
    columns: u16,
}

impl Terminal {
    /// Starts the server with the command that `change` returns.
    fn start(columns: u16, change: impl FnOnce(Command) -> Command) -> Terminal {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(ROWS, columns)).unwrap();
        let mut command =
            Command::new(env!("CARGO_BIN_EXE_halloo")).env("TERM", "xterm-256color").env("HALLOO_PORT", "0");
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command = command.env_remove(variable);
        }
        command = command.args(["serve", "--bind", "127.0.0.1", "--no-discovery", "--name", "den"]);
        let child = change(command).spawn(pts).unwrap();
        let (pty, (sender, output)) = (Arc::new(pty), channel());
        let reader = Arc::clone(&pty);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // When the child exits, a read fails on some systems and returns 0 on others.
            while let Ok(length @ 1..) = (&*reader).read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { child, pty, output, raw: Vec::new(), columns }
    }

    /// Reads until the rows of the screen match, and returns them.
    fn wait_for(&mut self, matches: impl Fn(&[String]) -> bool) -> Vec<String> {
        let end = Instant::now() + TEST_TIMEOUT;
        loop {
            let rows = self.rows();
            if matches(&rows) {
                return rows;
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.raw.extend(bytes),
                Err(error) => panic!("{error}; the screen:\n{}", rows.join("\n")),
            }
        }
    }

    /// Returns the rows of the screen without empty ones at the end.
    fn rows(&self) -> Vec<String> {
        // The emulator does not support IND (`ESC D`), but a vertical tab has the same effect.
        let text = String::from_utf8_lossy(&self.raw).replace("\x1bD", "\x0b");
        let size = |size| NonZero::new(size).unwrap();
        let mut emulator = vt100::Parser::new(size(ROWS), size(self.columns), 0);
        emulator.process(text.as_bytes());
        let mut rows: Vec<String> = emulator.screen().rows(0, self.columns).collect();
        rows.truncate(rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1));
        rows
    }

    fn type_in(&self, text: &str) {
        (&*self.pty).write_all(text.as_bytes()).unwrap();
    }

    /// Connects a client to the URL in the banner.
    fn connect(&mut self) -> WebSocket<MaybeTlsStream<TcpStream>> {
        let rows = self.wait_for(|rows| rows.iter().any(|row| row.contains("Local")));
        let row = rows.iter().find(|row| row.contains("Local")).unwrap();
        let url = row.split_whitespace().find(|word| word.starts_with("ws://")).unwrap();
        tungstenite::connect(url).unwrap().0
    }

    /// Connects a client and waits for the log line about it, which a separate thread writes, so that it might follow the
    /// first message of the client.
    fn connect_and_wait_for_log(&mut self) -> WebSocket<MaybeTlsStream<TcpStream>> {
        let peer = self.connect();
        self.wait_for(|rows| rows.iter().any(|row| row.contains(" joined from ")));
        peer
    }

    /// Returns what the QR codes on the screen contain. Without colours, their blocks are light.
    fn qr_codes(&self, has_colours: bool) -> Vec<String> {
        // A character is two modules high, and a scanner needs several pixels for each module.
        const PIXELS: usize = 4;
        let rows: Vec<Vec<char>> = self.rows().iter().map(|row| row.chars().collect()).collect();
        let is_dark = |x: usize, y: usize| {
            let block = rows[y / 2].get(x).copied().unwrap_or(' ');
            (block == '█' || block == ['▀', '▄'][y % 2]) == has_colours
        };
        let (width, height) = (self.columns as usize * PIXELS, rows.len() * 2 * PIXELS);
        let pixel = |x, y| if is_dark(x / PIXELS, y / PIXELS) { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, pixel);
        image.detect_grids().iter().filter_map(|grid| Some(grid.decode().ok()?.1)).collect()
    }

    /// Reads until the process exits. Returns whether it succeeded.
    fn wait_for_exit(&mut self) -> bool {
        while let Ok(bytes) = self.output.recv_timeout(TEST_TIMEOUT) {
            self.raw.extend(bytes);
        }
        self.child.wait().unwrap().success()
    }

    fn has_colours(&self) -> bool {
        let text = String::from_utf8_lossy(&self.raw);
        text.split("\x1b[")
            .skip(1)
            .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns whether the last rows contain these texts. An empty text means an empty row.
fn ends_with(rows: &[String], end: &[&str]) -> bool {
    let matches = |(row, text): (&String, &&str)| if text.is_empty() { row.is_empty() } else { row.contains(text) };
    rows.len() >= end.len() && rows[rows.len() - end.len()..].iter().zip(end).all(matches)
}

#[test]
fn log_scrolls_between_the_banner_and_the_status_line() {
    let mut terminal = Terminal::start(100, |command| command);
    let rows = terminal.wait_for(|rows| ends_with(rows, &["", "discovery off · no clients · 0/s in · 0/s out"]));
    for part in ["den", "Local    ws://127.0.0.1:", "Page     http://127.0.0.1:", "█▀▀▀▀▀█"] {
        assert!(rows.iter().any(|row| row.contains(part)), "no {part} in\n{}", rows.join("\n"));
    }
    let mut peer = terminal.connect_and_wait_for_log();
    terminal.wait_for(|rows| ends_with(rows, &["client 1 joined from 127.0.0.1:", "", "1 client"]));
    terminal.type_in("hello wor");
    terminal.wait_for(|rows| ends_with(rows, &["hello wor", "1 client"]));
    for number in 0..40 {
        peer.send(format!("message {number}").into()).unwrap();
    }
    terminal
        .wait_for(|rows| ends_with(rows, &["client 1: message 38", "client 1: message 39", "hello wor", "1 client"]));
    terminal.type_in("ld\n");
    assert_eq!(peer.read().unwrap(), Message::text("hello world"));
    terminal.wait_for(|rows| ends_with(rows, &["client 1: message 39", "hello world", "", "1 client"]));
}

#[test]
fn control_characters_of_messages_are_escaped() {
    let mut terminal = Terminal::start(100, |command| command);
    let mut peer = terminal.connect_and_wait_for_log();
    peer.send("\x1b[2J\x1b]0;title\x07\u{9b}31m\u{202e}\r\nend".into()).unwrap();
    peer.send(vec![27, 91, 50, 74].into()).unwrap();
    let shown = r"client 1: \u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\r\nend";
    terminal.wait_for(|rows| ends_with(rows, &[shown, "client 1: (4 bytes, binary)", "", "1 client"]));
}

#[test]
fn with_the_pad_the_log_tells_who_plays() {
    let mut terminal = Terminal::start(100, |command| command.arg("--pad"));
    let mut peer = terminal.connect_and_wait_for_log();
    peer.send(r#"{"join":{"name":"Ada\u001b[2J"},"left":[0,0],"a":0}"#.into()).unwrap();
    peer.send(r#"{"left":[0.5,-1]}"#.into()).unwrap();
    peer.send(r#"{"a":1}"#.into()).unwrap();
    let rows = terminal.wait_for(|rows| ends_with(rows, &["client 1: Ada[2J presses a", "", "1 client"]));
    assert!(rows.iter().any(|row| row.contains("client 1: Ada[2J plays")), "{rows:#?}");
    assert!(!rows.iter().any(|row| row.contains("left")), "{rows:#?}");
    peer.close(None).unwrap();
    terminal.wait_for(|rows| rows.iter().any(|row| row.contains("client 1: Ada[2J left")));
}

#[test]
fn ctrl_c_stops_cleanly_and_removes_the_status_line() {
    let mut terminal = Terminal::start(100, |command| command);
    let mut peer = terminal.connect();
    terminal.wait_for(|rows| ends_with(rows, &["", "1 client"]));
    terminal.type_in("half a line\x03");
    let Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
    assert_eq!(u16::from(close.code), 1001);
    drop(peer);
    assert!(terminal.wait_for_exit());
    terminal.wait_for(|rows| ends_with(rows, &["left: the server stopped (1001); 0 connected", "server stopped"]));
}

#[test]
fn narrow_terminal_truncates_the_status_line_and_has_no_qr_code() {
    let mut terminal = Terminal::start(24, |command| command);
    terminal.wait_for(|rows| ends_with(rows, &["", "discovery off · no clie"]) && !rows.concat().contains('█'));
}

#[test]
fn qr_code_fits_into_80x24_and_the_printed_link_is_an_invitation() {
    let home = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    for options in [&[][..], &["--token"], &["--tls"], &["--tls", "--token"]] {
        for no_color in ["", "1"] {
            let change = |command: Command| command.args(options).env("HOME", home.path()).env("NO_COLOR", no_color);
            let mut terminal = Terminal::start(80, change);
            terminal.wait_for(|rows| ends_with(rows, &["", "no clients"]));
            let codes = terminal.qr_codes(no_color.is_empty());
            let [link] = &codes[..] else { panic!("{options:?}: {codes:?}\n{}", terminal.rows().join("\n")) };
            let output = String::from_utf8_lossy(&terminal.raw).replace('\x1b', " ");
            let printed = output.split_whitespace().map(|word| word.trim_start_matches("[36m"));
            let printed = printed.filter(|word| word.trim_end_matches('/') == link);
            assert_eq!(printed.count(), 1, "{link} in\n{output}");
            let mut client = std::process::Command::new(env!("CARGO_BIN_EXE_halloo"));
            let client = client.args(["connect", "--once", link]).env("HOME", home.path()).stdin(Stdio::null());
            let output = client.output().unwrap();
            assert!(output.status.success(), "{link}: {output:?}");
        }
    }
}

#[test]
fn colours_follow_no_color_and_the_option() {
    for (arguments, no_color, expected) in [
        (&[][..], "", true),
        (&[], "1", false),
        (&["--color", "never"], "", false),
        (&["--color", "always"], "1", true),
    ] {
        let mut terminal = Terminal::start(100, |command| command.args(arguments).env("NO_COLOR", no_color));
        terminal.wait_for(|rows| ends_with(rows, &["", "no clients"]));
        assert_eq!(terminal.has_colours(), expected, "{arguments:?} with NO_COLOR={no_color}");
    }
}

#[test]
fn json_and_quiet_have_no_banner() {
    let mut terminal = Terminal::start(100, |command| command.arg("--json"));
    terminal.wait_for(|rows| rows.concat().contains(r#""event":"ready""#));
    terminal.type_in("\x03");
    assert!(terminal.wait_for_exit());
    let rows = terminal.rows().concat();
    assert!(rows.contains(r#""event":"stopped""#) && !rows.contains("Local") && !rows.contains("0/s"), "{rows}");

    // Without a banner that shows the port, it must be chosen by the test.
    let port = unused_tcp_address().port();
    let mut terminal = Terminal::start(100, |command| command.args(["--quiet", "--port", &port.to_string()]));
    let mut connected = None;
    wait_until(|| {
        connected = tungstenite::connect(format!("ws://127.0.0.1:{port}")).ok();
        connected.is_some()
    });
    let (mut peer, _) = connected.unwrap();
    peer.send("hello".into()).unwrap();
    terminal.wait_for(|rows| !rows.is_empty());
    assert_eq!(terminal.rows(), ["client 1: hello"]);
    terminal.type_in("\x03");
    drop(peer);
    assert!(terminal.wait_for_exit());
    assert_eq!(terminal.rows(), ["client 1: hello", "^C"], "the terminal echoes the key");
}

#[test]
fn data_in_a_pipe_is_unchanged_while_the_terminal_shows_the_banner() {
    let mut terminal = Terminal::start(100, |command| command.stdout(Stdio::piped()));
    let mut data: ChildStdout = terminal.child.stdout.take().unwrap();
    let mut peer = terminal.connect();
    peer.send("\x1b[31mraw".into()).unwrap();
    let mut line = [0; 9];
    data.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"\x1b[31mraw\n");
    terminal.wait_for(|rows| ends_with(rows, &["client 1 joined"]) && !rows.concat().contains("0/s"));
    drop(data);
    // The server stops without an error when it writes to the closed pipe. That may not be the next message: a process
    // that another test starts at this moment holds our end of the pipe until it runs its own program.
    let MaybeTlsStream::Plain(stream) = peer.get_ref() else { panic!() };
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let deadline = Instant::now() + TEST_TIMEOUT;
    let close = loop {
        let _ = peer.send("again".into());
        match peer.read() {
            Ok(Message::Close(Some(close))) => break close,
            _ => assert!(Instant::now() < deadline, "the server does not stop"),
        }
    };
    assert_eq!(u16::from(close.code), 1001);
    drop(peer);
    assert!(terminal.wait_for_exit());
    assert!(!String::from_utf8_lossy(&terminal.raw).contains("ipe"));
}

#[test]
fn log_in_a_pipe_is_plain_while_the_terminal_shows_the_banner() {
    let mut terminal = Terminal::start(100, |command| command.stderr(Stdio::piped()));
    let mut log: ChildStderr = terminal.child.stderr.take().unwrap();
    let mut peer = terminal.connect();
    peer.send("hello".into()).unwrap();
    terminal.wait_for(|rows| ends_with(rows, &["client 1: hello", "", "1 client"]));
    terminal.type_in("\x03");
    drop(peer);
    assert!(terminal.wait_for_exit());
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert!(text.contains("client 1 joined") && text.contains("server stopped"), "{text}");
    assert!(!text.contains('\x1b') && !text.contains("Local"), "{text}");
}

#[test]
fn findings_of_the_doctor_are_wrapped_at_words() {
    let (pty, pts) = open().unwrap();
    pty.resize(Size::new(ROWS, 60)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_halloo")).args(["doctor", "--color", "never"]).spawn(pts).unwrap();
    let (mut output, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = (&pty).read(&mut buffer) {
        output.extend_from_slice(&buffer[..length]);
    }
    child.wait().unwrap();
    let output = String::from_utf8(output).unwrap();
    assert!(output.contains("\r\n    ") && output.lines().all(|line| line.chars().count() <= 60), "{output}");
}
