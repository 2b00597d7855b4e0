//! A server that has no descriptor left: in a process of its own, with 64 of them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]
#![allow(clippy::print_stdout, reason = "the child tells its parent what it counted")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use halloo::{Config, Server};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);
const VARIABLE: &str = "HALLOO_TEST_DESCRIPTORS";

struct Starved {
    child: Child,
    /// What the child waits for.
    go: ChildStdin,
    lines: Box<dyn Iterator<Item = String>>,
    port: u16,
}

impl Starved {
    /// Runs [`served`] in a child, with the server's port.
    fn start() -> Starved {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "served", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, "64")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut lines = Box::new(lines.filter_map(|line| Some(line.split_once("told: ")?.1.to_owned())));
        let port = lines.next().unwrap().parse().unwrap();
        Starved { go: child.stdin.take().unwrap(), child, lines, port }
    }

    fn socket(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn ask(&self) -> TcpStream {
        let mut stream = self.socket();
        write!(stream, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream
    }

    /// The share of one core that the child took since `before`, as [`Starved::processor`] answered then.
    #[cfg(target_os = "linux")]
    fn processor(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // The unit has been a hundredth of a second on every Linux of the last twenty years.
        Duration::from_millis(10 * ticks)
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's part; alone, it has nothing to do.
#[test]
fn served() {
    let Some(limit) = std::env::var_os(VARIABLE).and_then(|limit| limit.into_string().ok()?.parse().ok()) else {
        return;
    };
    rlimit::Resource::NOFILE.set(limit, limit).unwrap();
    let server = Server::start(Config::local()).unwrap();
    println!("told: {}", server.port());
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {
        match line.trim() {
            take @ ("take all" | "take all but one") => {
                let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
                if take != "take all" {
                    files.pop();
                }
                println!("told: {} taken", files.len());
                line.clear();
                std::io::stdin().read_line(&mut line).unwrap();
            }
            "count" => println!("told: {}", server.status().extras.clients_total),
            other => panic!("{other}"),
        }
        println!("told: done");
        line.clear();
    }
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn two_hundred_that_only_connect_keep_nobody_out_and_cost_nothing() {
    let mut starved = Starved::start();
    let begun = Instant::now();
    let silent: Vec<TcpStream> = (0..200).map(|_| starved.socket()).collect();
    // Behind all of them, and still let in.
    let url = format!("ws://127.0.0.1:{}", starved.port);
    let stream = starved.socket();
    let (peer, _) = tungstenite::client(&url, stream).unwrap();
    for mut stream in silent {
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "whoever does not speak is put out");
    }
    #[cfg(target_os = "linux")]
    {
        let (share, whole) = (starved.processor(), begun.elapsed());
        println!("{share:?} of the processor in {whole:?}");
        assert!(share * 20 < whole, "{share:?} of {whole:?}");
    }
    drop(peer);
    assert!(answer(starved.ask()).starts_with("HTTP/1.1 200"), "and after that it is as before");
    writeln!(starved.go, "count").unwrap();
    assert_eq!(starved.lines.next().unwrap(), "1");
}

#[test]
fn two_hundred_that_stay_after_their_answer_all_get_one() {
    let starved = Starved::start();
    // None of them closes before all have been answered.
    let mut asked: Vec<TcpStream> = (0..200).map(|_| starved.ask()).collect();
    for stream in &mut asked {
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
}

#[test]
fn who_cannot_be_taken_in_is_told_why() {
    let mut starved = Starved::start();
    writeln!(starved.go, "take all").unwrap();
    assert!(starved.lines.next().unwrap().ends_with("taken"));
    for _ in 0..3 {
        let refused = answer(starved.ask());
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("limit of open files"), "{refused}");
    }
    writeln!(starved.go, "give back").unwrap();
    assert_eq!(starved.lines.next().unwrap(), "done");
    let released = Instant::now();
    assert!(answer(starved.ask()).starts_with("HTTP/1.1 200"));
    assert!(released.elapsed() < Duration::from_secs(2), "{:?}", released.elapsed());
}

#[test]
fn whoever_has_the_last_one_keeps_it_while_nobody_else_comes() {
    let mut starved = Starved::start();
    writeln!(starved.go, "take all but one").unwrap();
    assert!(starved.lines.next().unwrap().ends_with("taken"));
    let mut last = starved.socket();
    // Longer than he would be left alone if somebody came.
    last.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    assert!(last.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "he was put out");
    write!(last, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(answer(last).starts_with("HTTP/1.1 200"));
}
