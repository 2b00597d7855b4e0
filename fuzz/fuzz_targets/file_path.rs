//! Paths of files: none leads out of the published directory, in whatever encoding, and none is hidden.

#![cfg_attr(feature = "engine", no_main)]

use halloo_fuzz::fuzz_target;
use halloo_proto::files::FilePath;

fuzz_target!(|text: &str| {
    let Some(path) = FilePath::parse(text) else { return };
    let file = path.file();
    assert!(!file.contains(['\\', ':', '\0']) && !file.chars().any(char::is_control), "{file:?}");
    for segment in file.split('/') {
        assert!(!segment.is_empty() && !segment.ends_with(['.', ' ']), "{file:?}");
        assert!(!segment.starts_with('.') || segment == ".well-known", "{file:?}");
    }
    // The name that a program would give the file is the same.
    assert!(FilePath::from_name(&file).is_some_and(|named| named.file() == file), "{file:?}");
});
