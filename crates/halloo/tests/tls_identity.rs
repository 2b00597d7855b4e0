//! Certificates: made once, kept private, and read from files.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::Identity;
use halloo_test_support::TempDir;

fn temp_dir() -> TempDir {
    TempDir::new(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn concurrent_starts_create_one_certificate_that_only_its_owner_can_read() {
    let parent = temp_dir();
    let directory = parent.path().join("deep/down");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let directory = directory.clone();
            std::thread::spawn(move || {
                Identity::self_signed_in(directory).map(|identity| identity.fingerprint().unwrap())
            })
        })
        .collect();
    let created: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect();
    let kept = Identity::self_signed_in(&directory).unwrap().fingerprint().unwrap();
    assert!(created.iter().all(|fingerprint| *fingerprint == kept), "{created:?}");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "no temporary file remains");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory.join("halloo.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn invalid_certificate_files_are_explained() {
    let (directory, other) = (temp_dir(), temp_dir());
    Identity::self_signed_in(directory.path()).unwrap();
    Identity::self_signed_in(other.path()).unwrap();
    let (pem, other_pem) = (directory.path().join("halloo.pem"), other.path().join("halloo.pem"));
    let text = std::fs::read_to_string(&pem).unwrap();
    let (key, certificate) = text.split_at(text.find("-----BEGIN CERTIFICATE").unwrap());
    let (key_file, certificate_file) = (directory.path().join("key.pem"), directory.path().join("cert.pem"));
    std::fs::copy(&pem, &key_file).unwrap();
    std::fs::write(&key_file, key).unwrap();
    std::fs::write(&certificate_file, certificate).unwrap();
    let unsupported = directory.path().join("unsupported.pem");
    std::fs::copy(&pem, &unsupported).unwrap();
    std::fs::write(&unsupported, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    let identity = Identity::from_pem_files(&certificate_file, &key_file).unwrap();
    assert_eq!(identity.fingerprint(), None, "the certificate may be signed by an authority");
    for (certificate, key, expected) in [
        (&key_file, &key_file, "no certificate"),
        (&certificate_file, &certificate_file, "no private key"),
        (&certificate_file, &other_pem, "does not belong to the certificate in"),
        (&certificate_file, &unsupported, "cannot be used"),
        (&directory.path().join("missing"), &key_file, "cannot read"),
    ] {
        let error = Identity::from_pem_files(certificate, key).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        for path in [certificate, key].into_iter().filter(|_| expected.contains("belong")) {
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}

/// Earlier versions created certificates that never expire, which some systems refuse.
#[test]
fn certificate_that_is_valid_for_too_long_is_renewed_for_the_same_key() {
    let directory = temp_dir();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(9999, 12, 31);
    let old = format!("{}{}", key.serialize_pem(), parameters.self_signed(&key).unwrap().pem());
    let path = directory.path().join("halloo.pem");
    std::fs::write(&path, &old).unwrap();
    Identity::self_signed_in(directory.path()).unwrap();
    let new = std::fs::read_to_string(&path).unwrap();
    assert!(new != old && new.starts_with(&key.serialize_pem()), "{new}");
    Identity::self_signed_in(directory.path()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), new, "it is renewed once");
}

#[test]
fn a_corrupt_certificate_is_not_replaced() {
    let directory = temp_dir();
    Identity::self_signed_in(directory.path()).unwrap();
    let path = directory.path().join("halloo.pem");
    let pem = std::fs::read_to_string(&path).unwrap();
    let other = Identity::self_signed_in(directory.path().join("other")).unwrap();
    let other_pem = std::fs::read_to_string(directory.path().join("other/halloo.pem")).unwrap();
    let certificate = |pem: &str| pem.find("-----BEGIN CERTIFICATE").unwrap();
    let foreign = pem[..certificate(&pem)].to_owned() + &other_pem[certificate(&other_pem)..];
    for damaged in ["", "corrupt", &pem[..certificate(&pem)], &pem[certificate(&pem)..], &foreign] {
        std::fs::write(&path, damaged).unwrap();
        let error = Identity::self_signed_in(directory.path()).unwrap_err().to_string();
        assert!(error.contains("is damaged; delete this file to get another one"), "{damaged}: {error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged, "clients may have pinned the old one");
    }
    std::fs::remove_file(&path).unwrap();
    assert_ne!(Identity::self_signed_in(directory.path()).unwrap().fingerprint(), other.fingerprint());
}

#[cfg(unix)]
mod access {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn refusal(key: &Path) -> Option<String> {
        Identity::from_pem_files(key, key).err().map(|error| error.to_string())
    }

    /// Executes the command that an error advises, as a shell reads it.
    fn follow(error: &str) {
        let command = error.split('`').nth(1).unwrap_or_else(|| panic!("no command: {error}"));
        assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
    }

    #[test]
    fn key_that_others_can_read_or_change_is_refused_until_the_advice_is_followed() {
        let directory = temp_dir();
        Identity::self_signed_in(directory.path()).unwrap();
        let key = directory.path().join("it's a key.pem");
        fs::rename(directory.path().join("halloo.pem"), &key).unwrap();
        for allowed in [0o600, 0o400, 0o640, 0o700] {
            set_mode(&key, allowed);
            assert_eq!(refusal(&key), None, "{allowed:o}");
        }
        for exposed in [0o644, 0o604, 0o602, 0o601, 0o660, 0o620, 0o666, 0o777] {
            set_mode(&key, exposed);
            let error = refusal(&key).unwrap_or_else(|| panic!("{exposed:o} is accepted"));
            assert!(error.contains("can read or change the private key"), "{error}");
            follow(&error);
            assert_eq!(refusal(&key), None, "{exposed:o}");
        }
    }

    #[test]
    fn key_that_others_can_replace_is_refused_until_the_advice_is_followed() {
        let parent = temp_dir();
        let directory = parent.path().join("deep/down");
        Identity::self_signed_in(&directory).unwrap();
        let key = directory.join("halloo.pem");
        for open in [&directory, &parent.path().join("deep")] {
            for (exposed, allowed) in [(0o777, false), (0o722, false), (0o702, false), (0o1777, true), (0o775, true)] {
                set_mode(open, exposed);
                let error = refusal(&key);
                assert_eq!(error.is_none(), allowed, "{exposed:o}: {error:?}");
                // Neither is one that was made by this program.
                assert_eq!(Identity::self_signed_in(&directory).is_ok(), allowed, "{exposed:o}");
                if let Some(error) = error {
                    assert!(error.contains("can replace the private key"), "{error}");
                    follow(&error);
                    assert_eq!(refusal(&key), None, "{exposed:o}");
                }
            }
            set_mode(open, 0o700);
        }
    }

    #[test]
    fn stored_key_is_made_private_again() {
        let parent = temp_dir();
        let directory = parent.path().join("deep/down");
        let created = Identity::self_signed_in(&directory).unwrap().fingerprint();
        assert_eq!((mode(&directory), mode(&directory.join("halloo.pem"))), (0o700, 0o600));
        set_mode(&directory.join("halloo.pem"), 0o644);
        assert_eq!(Identity::self_signed_in(&directory).unwrap().fingerprint(), created);
        assert_eq!(mode(&directory.join("halloo.pem")), 0o600);
    }
}
