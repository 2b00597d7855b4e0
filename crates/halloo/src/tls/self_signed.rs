//! The self-signed certificate of this machine, and the file that contains it and its key.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use x509_cert::der::DateTime;

use super::certificate::{self, Certificate};
use crate::discovery::interfaces;

/// Name of the file that contains the certificate and its private key.
pub(super) const FILE_NAME: &str = "halloo.pem";
/// Maximum time for which a certificate is valid: the systems of Apple refuse it with more
/// (<https://support.apple.com/103769>).
const MAX_VALIDITY: Duration = days(825);
/// Time for which a certificate is issued.
const VALIDITY: Duration = days(824);
/// Time before its end at which a certificate is renewed.
const RENEWAL: Duration = days(30);
/// Maximum number of host names and addresses in a certificate, so that it does not grow on a machine that is moved a lot.
const MAX_NAMES: usize = 64;
/// The earliest date of a certificate: the clock of a device without a battery starts in the past.
const EARLIEST: DateTime = match DateTime::new(2026, 1, 1, 0, 0, 0) {
    Ok(date) => date,
    Err(_) => DateTime::INFINITY,
};

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

/// Returns the present time, as far as the clock can be right.
pub(super) fn now() -> SystemTime {
    certificate::now().max(EARLIEST.to_system_time())
}

/// Returns the names under which browsers open the page of a server on this machine: its host names and its addresses, and
/// `local_names`, which the server has in multicast DNS. Without the addresses if they cannot be read now: a certificate that has
/// them needs no renewal then.
pub(super) fn names(local_names: &[String]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let host = gethostname::gethostname().into_string().unwrap_or_default();
    let label = host.split('.').next().unwrap_or_default();
    // The second is the name that this machine may have in multicast DNS, the third the one that halloo publishes.
    names.extend([host.clone(), format!("{label}.local"), format!("{label}-halloo.local")]);
    names.extend(local_names.iter().cloned());
    let mut known = HashSet::new();
    names.retain(|name| is_dns_name(name) && known.insert(name.to_ascii_lowercase()));
    let interfaces = interfaces::list().unwrap_or_default();
    let addresses = interfaces.into_iter().map(|interface| interface.addr);
    let mut addresses: Vec<IpAddr> = addresses.filter(|ip| !ip.is_unspecified() && !is_link_local(*ip)).collect();
    addresses.extend([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    addresses.sort_unstable();
    addresses.dedup();
    names.extend(addresses.into_iter().map(|ip| ip.to_string()));
    names.truncate(MAX_NAMES);
    names
}

/// Returns whether a new certificate is needed for the key of this one: it ends soon, is valid for too long for some systems, or
/// lacks one of `names`. A missing address of IPv6 counts only on a machine without IPv4: such addresses change every day, links
/// contain those of IPv4, and every browser warns about a new certificate again.
pub(super) fn needs_renewal(certificate: &Certificate, names: &[String]) -> bool {
    let lacks = |name: &&String| !certificate.names.iter().any(|own| own.eq_ignore_ascii_case(name));
    let is_ipv6 = |name: &str| name.parse::<Ipv6Addr>().is_ok();
    let has_ipv4 = names.iter().any(|name| name.parse::<Ipv4Addr>().is_ok_and(|ip| !ip.is_loopback()));
    let is_lacking = names.iter().filter(lacks).any(|name| !(has_ipv4 && is_ipv6(name)));
    !certificate.is_valid_for(RENEWAL, MAX_VALIDITY, now()) || is_lacking
}

/// Returns when a certificate is to be renewed because of its end.
pub(super) fn renewal_of(certificate: &Certificate) -> SystemTime {
    certificate.not_after - RENEWAL
}

/// Generates a private key and a certificate for it, in PEM format.
pub(super) fn generate(names: &[String]) -> Result<String, rcgen::Error> {
    issue(&KeyPair::generate()?, names)
}

/// Issues another certificate for the key in `pem`. It keeps the names of `old`, the newest first: several servers of a machine
/// can share the file, a machine can move between networks, and every browser warns about a new certificate again.
pub(super) fn renew(pem: &str, old: &Certificate, names: &[String]) -> Result<String, rcgen::Error> {
    let is_ipv6 = |name: &str| name.parse::<Ipv6Addr>().is_ok();
    let is_kept = |name: &&String| !names.contains(name) && (is_dns_name(name) || is_ipv6(name));
    let mut kept: Vec<String> = old.names.iter().filter(is_kept).cloned().collect();
    // Those of IPv6 change often, and seldom matter.
    kept.sort_by_key(|name| is_ipv6(name));
    let mut names = names.to_vec();
    names.extend(kept);
    names.truncate(MAX_NAMES);
    issue(&KeyPair::from_pem(pem)?, &names)
}

fn issue(key: &KeyPair, names: &[String]) -> Result<String, rcgen::Error> {
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "halloo");
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // From the day before, because the clock of another device may be behind.
    let start = now() - days(1);
    let [first, last] = [start, start + VALIDITY].map(day);
    parameters.not_before = date_time_ymd(first.0, first.1, first.2);
    parameters.not_after = date_time_ymd(last.0, last.1, last.2);
    let certificate = parameters.self_signed(key)?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
}

/// Creates a file atomically, readable only by its owner on Unix. An existing file is left as it is.
pub(super) fn create(path: &Path, content: &str) -> io::Result<()> {
    let temporary = write_temporary(path, content)?;
    let linked = match fs::hard_link(&temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no hard links.
        Err(_) => fs::copy(&temporary, path).map(drop),
        Ok(()) => Ok(()),
    };
    let removed = fs::remove_file(&temporary);
    linked.and(removed)
}

/// Replaces a file atomically by one that is readable only by its owner on Unix.
pub(super) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let temporary = write_temporary(path, content)?;
    fs::rename(&temporary, path).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn write_temporary(path: &Path, content: &str) -> io::Result<std::path::PathBuf> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)?;
    // A random name, so that no other process or thread writes to the same file.
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let temporary = directory.join(format!("{FILE_NAME}.{:016x}", u64::from_ne_bytes(random)));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
    written.map(|()| temporary.clone()).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Returns the year, month and day of a time.
fn day(time: SystemTime) -> (i32, u8, u8) {
    let date = DateTime::from_system_time(time).unwrap_or(EARLIEST);
    (date.year().into(), date.month(), date.day())
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// Returns whether a certificate can contain `name` as a DNS name.
fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn parse(pem: &str) -> Certificate {
        Certificate::parse(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn certificate_is_renewed_for_another_address_and_keeps_its_key_and_host_names() {
        let pem = generate(&names(&["localhost", "den.local", "192.168.1.5", "fd00::5"])).unwrap();
        let old = parse(&pem);
        for (changed, expected) in [
            (&["localhost", "192.168.1.5"][..], false),
            (&["LOCALHOST", "192.168.1.5", "fd00::6"], false),
            (&["localhost", "fd00::6"], true),
            (&["localhost", "127.0.0.1"], true),
            (&["localhost", "192.168.1.6"], true),
            (&["attic.local", "192.168.1.5"], true),
        ] {
            assert_eq!(needs_renewal(&old, &names(changed)), expected, "{changed:?}");
        }
        let moved = names(&["localhost", "attic.local", "10.0.0.7"]);
        let new = parse(&renew(&pem, &old, &moved).unwrap());
        assert_eq!(new.fingerprint, old.fingerprint);
        assert_eq!(new.names, ["localhost", "attic.local", "10.0.0.7", "den.local", "192.168.1.5", "fd00::5"]);
        assert!(!needs_renewal(&new, &moved));
    }

    #[test]
    fn networks_and_servers_that_alternate_share_a_certificate_once_each_was_seen() {
        let home = names(&["localhost", "den.local", "192.168.1.5", "fd00::5"]);
        let away = names(&["localhost", "attic.local", "10.0.0.7", "fd00::7"]);
        let pem = generate(&home).unwrap();
        assert!(needs_renewal(&parse(&pem), &away));
        let pem = renew(&pem, &parse(&pem), &away).unwrap();
        for set in [&home, &away] {
            assert!(!needs_renewal(&parse(&pem), set), "{:?}", parse(&pem).names);
        }
    }

    #[test]
    fn the_newest_names_are_kept_up_to_the_maximum() {
        let own = |number: usize| names(&["localhost", &format!("10.0.0.{number}"), &format!("fd00::{number}")]);
        let mut pem = generate(&own(0)).unwrap();
        for number in 1..100 {
            pem = renew(&pem, &parse(&pem), &own(number)).unwrap();
        }
        let kept = parse(&pem).names;
        assert_eq!((kept.len(), &kept[..3]), (MAX_NAMES, &own(99)[..]));
        // Addresses of IPv6 do not displace those in the links.
        let ipv4: Vec<String> = (38..99).rev().map(|number| format!("10.0.0.{number}")).collect();
        assert_eq!(&kept[3..], ipv4);
    }

    #[test]
    fn names_of_this_machine_fit_into_a_certificate() {
        let own = super::names(&names(&["localhost", "den.local", "a name"]));
        for name in ["localhost", "127.0.0.1", "den.local"] {
            assert_eq!(own.iter().filter(|own| *own == name).count(), 1, "{name}: {own:?}");
        }
        assert!(!own.contains(&"a name".to_owned()), "{own:?}");
        assert!(!needs_renewal(&parse(&generate(&own).unwrap()), &own));
    }
}
