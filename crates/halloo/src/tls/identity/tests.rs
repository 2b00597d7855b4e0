use super::*;

/// Writes a new key and a certificate for it.
fn write_new(path: &Path) {
    self_signed::replace(path, &self_signed::generate(&["localhost".to_owned()]).unwrap()).unwrap();
}

#[test]
fn changed_files_are_used_and_unusable_ones_are_not() {
    let directory = std::env::temp_dir().join(format!("halloo-identity-{}", std::process::id()));
    let path = directory.join(self_signed::FILE_NAME);
    write_new(&path);
    let identity = Identity::from_pem_files(&path, &path).unwrap();
    let current = || identity.files.lock().current.clone().unwrap();
    let check = || {
        identity.files.lock().checked = None;
        identity.config();
        current()
    };
    let first = current();
    assert!(Arc::ptr_eq(&check(), &first), "unchanged files are not read again");
    write_new(&path);
    identity.config();
    assert!(Arc::ptr_eq(&current(), &first), "the files are not looked at all the time");
    let second = check();
    assert_ne!(second.cert, first.cert);
    fs::write(&path, "half a cert").unwrap();
    assert!(Arc::ptr_eq(&check(), &second));
    write_new(&path);
    let third = check();
    assert_ne!(third.cert, second.cert);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        write_new(&path);
        set_mode(0o644);
        assert!(Arc::ptr_eq(&check(), &third), "others can read the key");
        set_mode(0o600);
        assert_ne!(check().cert, third.cert, "the advice was followed");
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn self_signed_certificate_is_renewed_in_time_and_for_another_name_while_it_is_in_use() {
    let directory = std::env::temp_dir().join(format!("halloo-renewal-{}", std::process::id()));
    let identity = Identity::self_signed_in(&directory).unwrap();
    let current = || Certificate::parse(&identity.files.lock().current.as_ref().unwrap().cert[0]).unwrap();
    let check = |due| {
        let mut state = identity.files.lock();
        (state.checked, state.due, state.stamps) = (None, due, identity.files.stamps());
        drop(state);
        identity.config();
        current()
    };
    let end = current().not_after;
    assert_eq!(identity.files.lock().due, Some(end - Duration::from_secs(30 * 24 * 60 * 60)));
    // One that needs renewal. That it was written is not what is noticed.
    let (key, mut parameters) = (rcgen::KeyPair::generate().unwrap(), rcgen::CertificateParams::new([]).unwrap());
    parameters.not_after = rcgen::date_time_ymd(9999, 12, 31);
    let pem = format!("{}{}", key.serialize_pem(), parameters.self_signed(&key).unwrap().pem());
    self_signed::replace(&directory.join(self_signed::FILE_NAME), &pem).unwrap();
    assert_eq!(check(Some(certificate::now() + Duration::from_secs(60))).not_after, end);
    let renewed = check(Some(certificate::now()));
    assert_eq!(renewed.fingerprint, fingerprint_of(&key));
    assert!(!renewed.names.is_empty() && !renewed.names.contains(&"den.local".to_owned()));
    identity.set_local_names(&["den.local".to_owned()]);
    assert!(check(None).names.contains(&"den.local".to_owned()));
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn unusable_files_are_read_again_when_they_change_or_after_a_minute() {
    let directory = std::env::temp_dir().join(format!("halloo-retry-{}", std::process::id()));
    let path = directory.join(self_signed::FILE_NAME);
    write_new(&path);
    let identity = Identity::from_pem_files(&path, &path).unwrap();
    let start = Instant::now();
    let failed_after = |seconds| {
        identity.files.check_for_changes(start + Duration::from_secs(seconds));
        identity.files.lock().failure.as_ref().map(|(failed, _)| failed.duration_since(start).as_secs())
    };
    fs::write(&path, "half a cert").unwrap();
    for (seconds, failed) in [(10, 10), (15, 10), (69, 10), (74, 74), (79, 74)] {
        assert_eq!(failed_after(seconds), Some(failed), "after {seconds} s");
    }
    fs::write(&path, "half a certificate").unwrap();
    assert_eq!(failed_after(84), Some(84), "the file has changed");
    write_new(&path);
    assert_eq!(failed_after(89), None);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn end_of_the_certificate_in_use_is_reported_once() {
    let directory = std::env::temp_dir().join(format!("halloo-end-{}", std::process::id()));
    let path = directory.join(self_signed::FILE_NAME);
    write_new(&path);
    let identity = Identity::from_pem_files(&path, &path).unwrap();
    let mut state = identity.files.lock();
    let now = certificate::now();
    let end = now + Duration::from_secs(1000 * 24 * 60 * 60);
    assert_eq!(state.poll_invalidity(now), None);
    assert!(state.poll_invalidity(end).is_some_and(|reason| reason.starts_with("expired on")));
    assert_eq!(state.poll_invalidity(end), None, "it is the same certificate");
    assert_eq!(state.poll_invalidity(now), None);
    assert!(state.poll_invalidity(end).is_some(), "it was valid meanwhile");
    drop(state);
    fs::remove_dir_all(directory).unwrap();
}

fn fingerprint_of(key: &rcgen::KeyPair) -> Fingerprint {
    certificate::fingerprint_of(&rcgen::PublicKeyData::subject_public_key_info(key))
}
