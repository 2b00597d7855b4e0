//! Names that lead out of the directory, or to something that is no file.

use std::fs;
use std::path::Path;

use halloo_proto::files::FilePath;
use halloo_test_support::TempDir;

use super::node::Node;
use super::verified_open::open_verified;
use super::*;

type Open = fn(&Path, &str) -> io::Result<Node>;

/// Every way to open a file that this system has.
const WAYS: &[(&str, Open)] = &[
    ("verified", open_verified),
    #[cfg(target_os = "linux")]
    ("beneath", super::open_beneath::open_beneath),
];

/// Returns what `name` leads to: the content of a file, `directory`, or the kind of the error.
fn open(way: Open, root: &Path, name: &str) -> String {
    match way(root, name) {
        Ok(Node::File(file, _)) => io::read_to_string(file).unwrap(),
        Ok(Node::Directory) => "directory".into(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

fn directory() -> (TempDir, std::path::PathBuf) {
    let temp = TempDir::new(std::env::temp_dir().to_str().unwrap());
    let base = temp.path().canonicalize().unwrap();
    let root = base.join("www");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(root.join("index.html"), "index").unwrap();
    fs::write(root.join("sub/a.txt"), "a").unwrap();
    fs::write(base.join("secret.txt"), "secret").unwrap();
    (temp, root)
}

#[test]
fn files_and_directories_are_found() {
    let (_temp, root) = directory();
    for (name, way) in WAYS {
        assert_eq!(open(*way, &root, "index.html"), "index", "{name}");
        assert_eq!(open(*way, &root, "sub/a.txt"), "a", "{name}");
        assert_eq!(open(*way, &root, "sub"), "directory", "{name}");
        assert_eq!(open(*way, &root, "nothing"), "NotFound", "{name}");
        let not_a_directory = if cfg!(windows) { "NotFound" } else { "NotADirectory" };
        assert_eq!(open(*way, &root, "index.html/a"), not_a_directory, "{name}");
    }
}

#[test]
#[cfg(unix)]
fn links_are_followed_only_within_the_directory() {
    use std::os::unix::fs::symlink;

    let (_temp, root) = directory();
    symlink("sub/a.txt", root.join("inside.txt")).unwrap();
    symlink("sub", root.join("inside")).unwrap();
    symlink("../secret.txt", root.join("outside.txt")).unwrap();
    symlink(root.parent().unwrap(), root.join("outside")).unwrap();
    symlink("/etc/passwd", root.join("absolute")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    for (name, way) in WAYS {
        assert_eq!(open(*way, &root, "inside.txt"), "a", "{name}");
        assert_eq!(open(*way, &root, "inside/a.txt"), "a", "{name}");
        for outside in ["outside.txt", "outside/secret.txt", "absolute", "loop", "magic/etc/passwd", "../secret.txt"] {
            let outcome = open(*way, &root, outside);
            let is_refused = ["CrossesDevices", "FilesystemLoop", "NotFound"].contains(&outcome.as_str());
            assert!(is_refused, "{name}: {outside} is {outcome}");
        }
    }
}

#[test]
#[cfg(unix)]
fn fifos_sockets_and_devices_are_not_opened() {
    use std::process::Command;

    let (_temp, root) = directory();
    assert!(Command::new("mkfifo").arg(root.join("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    for (name, way) in WAYS {
        // Opening a FIFO without a writer blocks; so would the test.
        assert_eq!(open(*way, &root, "fifo"), "InvalidInput", "{name}");
        assert_eq!(open(*way, &root, "socket"), "InvalidInput", "{name}");
        assert_eq!(open(*way, Path::new("/dev"), "null"), "InvalidInput", "{name}");
        assert_eq!(open(*way, Path::new("/dev"), "zero"), "InvalidInput", "{name}");
    }
}

#[test]
fn no_generated_path_leads_to_a_file_outside() {
    let (_temp, root) = directory();
    fs::create_dir(root.join(".git")).unwrap();
    fs::write(root.join(".git/config"), "secret").unwrap();
    let files = Files::directory(&root).unwrap();
    let parts =
        ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%c0%ae%c0%ae", "sub", ".", "", "%2f", "..%2f", "..%5c", "..\\"];
    let ends =
        ["secret.txt", "secret.txt%00.html", "%2fsecret.txt", ".git/config", "%2egit/config", "secret.txt::$DATA"];
    let mut paths = 0;
    for first in parts {
        for second in parts {
            for third in parts {
                for separator in ["/", "%2f", "%5C", "\\", "//"] {
                    for end in ends {
                        let path = ["/", first, separator, second, separator, third, separator, end].concat();
                        paths += 1;
                        let Some(path) = FilePath::parse(&path) else { continue };
                        for (name, way) in WAYS {
                            assert_ne!(open(*way, &root, &path.file()), "secret", "{name}: {path:?}");
                        }
                    }
                }
            }
        }
    }
    assert!(paths > 10_000, "{paths}");
    assert!(files.has_index());
}

#[test]
fn files_that_the_server_replaces_are_named() {
    let files = Files::memory([("status", "a"), ("_halloo/a.js", "b"), ("a.js", "c")]).unwrap();
    assert_eq!(files.shadowed(), ["/_halloo/", "/status"]);
    assert!(!files.has_index());
    let (_temp, root) = directory();
    fs::write(root.join("discovery.json"), "").unwrap();
    assert_eq!(Files::directory(&root).unwrap().shadowed(), ["/discovery.json"]);
}

#[test]
fn directory_that_is_missing_or_a_file_is_named_with_what_to_give() {
    let (_temp, root) = directory();
    for (name, expected) in [
        ("nowhere", "` does not exist; give a directory with an index.html"),
        ("index.html", "` is not a directory; give one with an index.html"),
        ("index.html/a", "` does not exist"),
    ] {
        let path = root.join(name);
        let error = Files::directory(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("{}{expected}", path.display())), "{error}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        let error = Files::directory(root.join("loop")).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read the directory `") && error.contains("; let this user read it"),
            "{error}"
        );
    }
    let error = Files::memory([("../a", "b")]).unwrap_err().to_string();
    assert!(error.contains("`../a`"), "{error}");
    assert!(Files::memory([("a", "b")]).unwrap().header("ETag", "1").is_err());
}
