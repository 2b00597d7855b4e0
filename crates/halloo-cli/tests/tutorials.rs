//! The commands and programs of the tutorials in `docs`, and the commands of the README, literally, in a network of their own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use common::documents::{NETWORK, code, read, root, shell_command, wait_for_server};
use common::{JsonServer, halloo, stdout};
use halloo_test_support::{ChildProcess, TempDir, browser, in_namespace, micropython};

const SERVER: &str = "http://192.168.77.1:8765";

#[test]
fn programs_of_the_tutorials_are_the_files_that_run() {
    for (document, language, files) in [
        ("dashboard.md", "html", &["examples/dashboard/www/index.html"][..]),
        ("dashboard.md", "python", &["examples/dashboard/sensor.py"]),
        ("museum.md", "html", &["examples/museum/www/index.html", "examples/museum/www/control.html"]),
        ("museum.md", "ini", &["examples/museum/settings"]),
        ("esp32.md", "python", &["examples/esp32/main.py"]),
        ("esp32.md", "cpp", &["../clients/arduino/examples/Hello/Hello.ino"]),
    ] {
        let programs: Vec<String> = files.iter().map(|file| read(&format!("docs/{file}"))).collect();
        assert_eq!(code(&read(&format!("docs/{document}")), language), programs, "{document} differs from {files:?}");
    }
}

#[test]
fn measurements_reach_the_dashboard() {
    if !in_namespace("measurements_reach_the_dashboard", NETWORK) {
        return;
    }
    let (document, directory) = (read("docs/dashboard.md"), root().join("docs/examples/dashboard"));
    let commands = code(&document, "sh");
    let [serve, sensor] = &commands[..] else { panic!("{commands:?}") };
    let (Some(mut serve), Some(mut page)) = (shell_command(serve, &directory), browser("dashboard_in_browser.mjs"))
    else {
        return;
    };
    let _server = ChildProcess::start(&mut serve);
    wait_for_server();
    let mut page = ChildProcess::start(page.arg(SERVER));
    assert_eq!(page.next_line_after("opened "), "Temperatures");
    let _sensor = ChildProcess::start(&mut shell_command(sensor, &directory).unwrap());
    let shown = page.next_line_after("shows ");
    assert!(shown.starts_with("window: 2") && shown.ends_with(" °C"), "{shown}");
}

#[test]
fn control_of_the_museum_sets_the_text_of_one_room() {
    if !in_namespace("control_of_the_museum_sets_the_text_of_one_room", NETWORK) {
        return;
    }
    let Some(mut serve) = shell_command("halloo serve", &root().join("docs/examples/museum")) else { return };
    // As systemd sets them.
    let settings = read("docs/examples/museum/settings").replace("/srv/museum", "www");
    serve.envs(settings.lines().map(|line| line.split_once('=').unwrap()));
    let Some(mut pages) = browser("museum_in_browser.mjs") else { return };
    let mut server = ChildProcess::start(&mut serve);
    // As under systemd, which gives it no input.
    server.close_stdin();
    wait_for_server();
    let mut pages = ChildProcess::start(pages.arg(SERVER));
    for expected in ["Tyrannosaurus", "Welcome", "Tyrannosaurus"] {
        assert_eq!(pages.next_line_after("shows "), expected);
    }
}

#[test]
fn board_with_micropython_says_hello_and_prints_what_is_typed() {
    if !in_namespace("board_with_micropython_says_hello_and_prints_what_is_typed", NETWORK) {
        return;
    }
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    // The port of MicroPython for PCs has no Wi-Fi.
    let network = "STA_IF = 0\nclass WLAN:\n    def __init__(self, interface): pass\n    def active(self, on): pass\n    \
                   def connect(self, name, password): pass\n    def isconnected(self): return True\n";
    std::fs::write(directory.path().join("network.py"), network).unwrap();
    let commands = code(&read("docs/esp32.md"), "sh");
    let (Some(mut serve), Some(mut board)) =
        (shell_command(&commands[0], directory.path()), micropython("../../docs/examples/esp32/main.py"))
    else {
        return;
    };
    let mut server = ChildProcess::start(&mut serve);
    wait_for_server();
    let path = format!("{}:{}", root().join("clients/micropython").display(), directory.path().display());
    let mut board = ChildProcess::start(board.env("MICROPYPATH", path));
    server.next_line_after("hello");
    server.write_line("välkommen");
    assert_eq!(board.next_line(), "välkommen");
}

#[test]
fn commands_for_a_shared_wifi_work() {
    if !in_namespace("commands_for_a_shared_wifi_work", NETWORK) {
        return;
    }
    let (document, directory) = (read("docs/shared-wifi.md"), TempDir::new(env!("CARGO_TARGET_TMPDIR")));
    let commands = code(&document, "sh");
    let [doctor, search, connect, apps] = &commands[..] else { panic!("{commands:?}") };
    let Some(mut doctor) = shell_command(doctor, directory.path()) else { return };
    let report = stdout(&doctor.output().unwrap());
    for line in code(&document, "text").iter().flat_map(|block| block.lines()) {
        assert!(report.contains(line), "the doctor does not print {line:?}:\n{report}");
    }
    for (commands, name) in [(search, ""), (apps, "Room 12")] {
        let (serve, discover) = commands.trim_end().split_once('\n').unwrap();
        let mut server = ChildProcess::start(&mut shell_command(serve, directory.path()).unwrap());
        wait_for_server();
        let found = shell_command(discover, directory.path()).unwrap().output().unwrap();
        assert!(found.status.success() && stdout(&found).contains(name), "{found:?}");
        let connect = connect.replace("192.168.1.5", "192.168.77.1");
        let mut client = ChildProcess::start(&mut shell_command(&connect, directory.path()).unwrap());
        client.write_line("hi");
        server.next_line_after("hi");
        server.kill();
    }
}

#[test]
fn commands_of_the_readme_find_each_other() {
    if !in_namespace("commands_of_the_readme_find_each_other", NETWORK) {
        return;
    }
    let (readme, directory) = (read("README.md"), TempDir::new(env!("CARGO_TARGET_TMPDIR")));
    let commands = code(readme.split_once("### From the command line").unwrap().1, "sh");
    let (serve, connect) = commands[0].trim_end().split_once('\n').unwrap();
    let command = |line| shell_command(line, directory.path());
    let (Some(mut serve), Some(mut connect)) = (command(serve), command(connect)) else { return };
    let mut server = JsonServer::start(&mut serve);
    let mut client = ChildProcess::start(&mut connect);
    assert_eq!(server.process.next_of("message")["text"], "hello");
    assert!(client.wait().success());
    // The command that the comment gives as an example.
    let (_, example) = commands[0].split_once("such as ").unwrap();
    let mut client = ChildProcess::start(&mut halloo(&["connect", "--stay"]));
    server.process.next_of("client_joined");
    server.process.write_line(example.lines().next().unwrap());
    assert_eq!(client.next_line(), "hi");
}
