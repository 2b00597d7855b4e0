//! The path of a file in a request.

use std::borrow::Cow;

/// The file that a directory stands for.
pub const INDEX: &str = "index.html";

/// A path below the published directory that names the same file on every system, or none.
///
/// Its segments are no `.` or `..`, do not begin with a dot (except `.well-known`, RFC 8615), and contain no separator,
/// colon or control character, in no encoding. Names that Windows reserves for devices, and names that it shortens, are
/// not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath {
    /// The segments, joined by slashes.
    text: String,
    /// Whether the path ends with a slash.
    is_directory: bool,
}

impl FilePath {
    /// Parses the path of a request target, which is percent-encoded (RFC 3986 section 2.1). Returns `None` if no file is
    /// published under it.
    ///
    /// ```
    /// use halloo_proto::files::FilePath;
    ///
    /// assert_eq!(FilePath::parse("/img/a%20b.png").unwrap().file(), "img/a b.png");
    /// assert_eq!(FilePath::parse("/img/").unwrap().file(), "img/index.html");
    /// assert_eq!(FilePath::parse("/img/%2e%2E/secret"), None);
    /// ```
    pub fn parse(path: &str) -> Option<FilePath> {
        let encoded = path.strip_prefix('/')?;
        let (encoded, is_directory) = match encoded.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (encoded, encoded.is_empty()),
        };
        if encoded.is_empty() {
            // Two slashes are not the root.
            return (path == "/").then(|| FilePath { text: String::new(), is_directory });
        }
        let segments: Option<Vec<String>> = encoded.split('/').map(decode).collect();
        let segments = segments?;
        segments.iter().all(|segment| is_allowed(segment)).then(|| FilePath { text: segments.join("/"), is_directory })
    }

    /// Returns the path of the file called `name`, which is not encoded, such as `img/a b.png`; `None` as for
    /// [`FilePath::parse`].
    pub fn from_name(name: &str) -> Option<FilePath> {
        let is_valid = name.split('/').all(is_allowed);
        is_valid.then(|| FilePath { text: name.to_owned(), is_directory: false })
    }

    /// Returns the path of the file, relative to the published directory and with slashes: that of its index for a path
    /// that ends with a slash.
    pub fn file(&self) -> Cow<'_, str> {
        match (self.is_directory, self.text.is_empty()) {
            (false, _) => Cow::Borrowed(&self.text),
            (true, true) => Cow::Borrowed(INDEX),
            (true, false) => Cow::Owned(format!("{}/{INDEX}", self.text)),
        }
    }

    /// Returns whether it ends with a slash.
    pub fn is_directory(&self) -> bool {
        self.is_directory
    }

    /// Returns whether it is `/`.
    pub fn is_root(&self) -> bool {
        self.text.is_empty()
    }
}

/// Decodes one segment; `None` if its encoding is malformed.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    // A digit in base 16 fits into a byte.
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Returns whether a file may have this name.
fn is_allowed(segment: &str) -> bool {
    let is_hidden = segment.starts_with('.') && segment != ".well-known";
    // Windows ignores dots and spaces at the end of a name.
    let is_trimmed = segment.ends_with(['.', ' ']);
    // A colon begins the name of an alternate data stream, or follows a drive letter.
    let is_separator = |character: char| matches!(character, '/' | '\\' | ':') || character.is_control();
    !segment.is_empty() && !is_hidden && !is_trimmed && !segment.contains(is_separator) && !is_device(segment)
}

/// Returns whether Windows reserves this name for a device, with any extension.
fn is_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_numbered = |prefix: &str| {
        let digits = stem.strip_prefix(prefix).map(|rest| rest.chars().collect::<Vec<_>>());
        matches!(digits.as_deref(), Some(['0'..='9' | '¹' | '²' | '³']))
    };
    let names = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];
    names.contains(&stem.as_str()) || is_numbered("COM") || is_numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Option<String> {
        FilePath::parse(path).map(|path| path.file().into_owned())
    }

    #[test]
    fn paths_are_decoded_once_and_directories_have_an_index() {
        for (path, expected) in [
            ("/", "index.html"),
            ("/a.js", "a.js"),
            ("/a/", "a/index.html"),
            ("/a/b", "a/b"),
            ("/a%20b/%C3%A4.png", "a b/ä.png"),
            ("/%2561", "%61"),
            ("/ä", "ä"),
            ("/.well-known/assetlinks.json", ".well-known/assetlinks.json"),
            ("/a..b", "a..b"),
            ("/console.js", "console.js"),
            ("/com10", "com10"),
        ] {
            assert_eq!(file(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn paths_that_mean_something_else_on_some_system_name_no_file() {
        for path in [
            "",
            "a",
            "*",
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/../a",
            "/a/./b",
            "/a/../b",
            "/%2e%2e/a",
            "/.%2E/a",
            "/a%2fb",
            "/a%2Fb",
            "/a\\b",
            "/a%5cb",
            "/a%5C..%5cb",
            "/a%00",
            "/a%00.png",
            "/%0a",
            "/%7f",
            "/%",
            "/%2",
            "/%zz",
            "/%+1",
            "/%c0%ae%c0%ae/a",
            "/%c0%af",
            "/%ff",
            "/.git/config",
            "/.env",
            "/a/.b",
            "/%2ehtaccess",
            "/C:/a",
            "/a:b",
            "/a%3a$DATA",
            "/index.html::$DATA",
            "/CON",
            "/con.txt",
            "/nul",
            "/aux.h",
            "/COM1",
            "/lpt9.png",
            "/com%C2%B9",
            "/con .txt",
            "/CONOUT$",
            "/a.",
            "/a./b",
            "/a%20",
            "/a ",
            "/...",
        ] {
            assert_eq!(file(path), None, "{path}");
        }
    }

    #[test]
    fn no_encoding_of_a_traversal_is_accepted() {
        let dots = [".", "%2e", "%2E", "%252e", "%c0%ae", "．", "%ef%bc%8e", ""];
        let slashes = ["/", "%2f", "%2F", "%5c", "\\", "%252f", "%c0%af", "//", ";/"];
        let ends = ["etc/passwd", "secret.txt", "..", ".", "%00", ".git/config", "a%00.html", "%2e"];
        let starts = ["/", "//", "/a/", "/a", "\\", "/%2f", "/./", "/a;"];
        let mut paths = 0;
        for first in dots {
            for second in dots {
                for slash in slashes {
                    for start in starts {
                        for end in ends {
                            let path = format!("{start}{first}{second}{slash}{end}");
                            paths += 1;
                            let Some(file) = file(&path) else { continue };
                            for segment in file.split('/') {
                                assert!(!matches!(segment, "" | "." | ".."), "{path} names {file}");
                                assert!(
                                    !segment.starts_with('.') && !segment.contains(['\\', '\0']),
                                    "{path} names {file}"
                                );
                            }
                        }
                    }
                }
            }
        }
        assert!(paths > 10_000, "{paths}");
    }
}
