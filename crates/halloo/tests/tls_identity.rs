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
    std::fs::write(&key_file, key).unwrap();
    std::fs::write(&certificate_file, certificate).unwrap();
    let identity = Identity::from_pem_files(&certificate_file, &key_file).unwrap();
    assert_eq!(identity.fingerprint(), None, "the certificate may be signed by an authority");
    for (certificate, key, expected) in [
        (&key_file, &key_file, "no certificate"),
        (&certificate_file, &certificate_file, "no private key"),
        (&certificate_file, &other_pem, "does not match the certificate"),
        (&directory.path().join("missing"), &key_file, "cannot read"),
    ] {
        let error = Identity::from_pem_files(certificate, key).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_corrupt_certificate_is_not_replaced() {
    let directory = temp_dir();
    Identity::self_signed_in(directory.path()).unwrap();
    std::fs::write(directory.path().join("halloo.pem"), "corrupt").unwrap();
    assert!(Identity::self_signed_in(directory.path()).is_err(), "clients may have pinned the old one");
}
