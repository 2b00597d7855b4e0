//! What a certificate says: its key, the dates of its validity and its names.

use std::time::{Duration, SystemTime};

use halloo_proto::fingerprint::Fingerprint;
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate as X509;
use x509_cert::der::{DateTime, Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The content of a certificate, as far as it matters here.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) fingerprint: Fingerprint,
    not_before: SystemTime,
    pub(super) not_after: SystemTime,
    /// Its DNS names and IP addresses, as text (RFC 5280 section 4.2.1.6).
    pub(super) names: Vec<String>,
}

impl Certificate {
    /// Returns `None` if `der` is not a certificate of X.509.
    pub(super) fn parse(der: &CertificateDer<'_>) -> Option<Certificate> {
        let certificate = X509::from_der(der).ok()?;
        let content = certificate.tbs_certificate();
        let key = content.subject_public_key_info().to_der().ok()?;
        let names = content.get_extension::<SubjectAltName>().ok().flatten();
        Some(Certificate {
            fingerprint: fingerprint_of(&key),
            not_before: content.validity().not_before.to_system_time(),
            not_after: content.validity().not_after.to_system_time(),
            names: names.into_iter().flat_map(|(_, names)| names.0).filter_map(name).collect(),
        })
    }

    /// Returns why clients refuse the certificate at `now` whatever they trust, with the date.
    pub(super) fn describe_invalidity(&self, now: SystemTime) -> Option<String> {
        if now < self.not_before {
            let from = date(self.not_before);
            return Some(format!("is not valid before {from}; correct the clock of this machine, or wait until then"));
        }
        (now >= self.not_after).then(|| format!("expired on {}; renew it", date(self.not_after)))
    }

    /// Returns whether the certificate is valid from `now` on for at least `remaining`, and was issued for at most `total`.
    pub(super) fn is_valid_for(&self, remaining: Duration, total: Duration, now: SystemTime) -> bool {
        let period = self.not_after.duration_since(self.not_before).unwrap_or_default();
        self.not_before <= now && now + remaining <= self.not_after && period <= total
    }
}

/// Returns the time of day, by which certificates are valid or not.
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns the SHA-256 hash of what identifies a server: its public key (SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7), or
/// its certificate.
pub(super) fn fingerprint_of(der: &[u8]) -> Fingerprint {
    let hash = ring::digest::digest(&ring::digest::SHA256, der);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.as_ref());
    Fingerprint::from(bytes)
}

/// Returns the day of a time, such as `2027-01-31`.
fn date(time: SystemTime) -> String {
    // The dates of certificates are within the range of this type.
    let time = DateTime::from_system_time(time).unwrap_or(DateTime::INFINITY);
    format!("{:04}-{:02}-{:02}", time.year(), time.month(), time.day())
}

fn name(name: GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes() {
            bytes if bytes.len() == 4 => {
                <[u8; 4]>::try_from(bytes).ok().map(|ip| std::net::IpAddr::from(ip).to_string())
            }
            bytes => <[u8; 16]>::try_from(bytes).ok().map(|ip| std::net::IpAddr::from(ip).to_string()),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PublicKeyData, date_time_ymd};

    use super::*;

    /// Returns a certificate that is valid in 2026, and its public key.
    fn certificate_of_2026() -> (Certificate, Vec<u8>) {
        let names = ["den.local", "192.168.1.5", "fd00::5"].map(str::to_owned);
        let mut parameters = CertificateParams::new(names).unwrap();
        (parameters.not_before, parameters.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 1, 1));
        let key = KeyPair::generate().unwrap();
        let der = parameters.self_signed(&key).unwrap().der().clone();
        (Certificate::parse(&der).unwrap(), key.subject_public_key_info())
    }

    fn day(text: &str) -> SystemTime {
        format!("{text}T00:00:00Z").parse::<DateTime>().unwrap().to_system_time()
    }

    #[test]
    fn content_is_read() {
        let (certificate, key) = certificate_of_2026();
        assert_eq!(certificate.names, ["den.local", "192.168.1.5", "fd00::5"]);
        assert_eq!(certificate.fingerprint, fingerprint_of(&key));
        assert!(Certificate::parse(&CertificateDer::from(&b"0\x03abc"[..])).is_none());
    }

    #[test]
    fn dates_are_explained() {
        let (certificate, _) = certificate_of_2026();
        let invalidity = |now| certificate.describe_invalidity(day(now));
        assert_eq!(invalidity("2026-01-01"), None);
        assert_eq!(invalidity("2027-01-01").unwrap(), "expired on 2027-01-01; renew it");
        let early = "is not valid before 2026-01-01; correct the clock of this machine, or wait until then";
        assert_eq!(invalidity("2025-12-31").unwrap(), early);
    }

    #[test]
    fn remaining_and_total_time_are_limited() {
        let (certificate, _) = certificate_of_2026();
        let days = |count: u64| Duration::from_secs(count * 24 * 60 * 60);
        assert!(certificate.is_valid_for(days(30), days(365), day("2026-12-02")));
        assert!(!certificate.is_valid_for(days(30), days(365), day("2026-12-03")), "less than 30 days are left");
        assert!(!certificate.is_valid_for(days(30), days(364), day("2026-12-02")), "it was issued for too long");
        assert!(!certificate.is_valid_for(days(30), days(365), day("2025-12-31")), "it is not valid yet");
    }
}
