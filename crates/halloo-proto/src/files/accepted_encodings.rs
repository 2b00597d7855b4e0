//! The header `Accept-Encoding` (RFC 9110 section 12.5.3).

/// An encoding of a file that was compressed in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Brotli (RFC 7932), in a file whose name ends with `.br`.
    Brotli,
    /// gzip (RFC 1952), in a file whose name ends with `.gz`.
    Gzip,
}

impl Encoding {
    /// Returns its name in HTTP.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Brotli => "br",
            Encoding::Gzip => "gzip",
        }
    }

    /// Returns what follows the name of the file.
    pub fn extension(self) -> &'static str {
        match self {
            Encoding::Brotli => ".br",
            Encoding::Gzip => ".gz",
        }
    }
}

/// The encodings that a client accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptedEncodings {
    brotli: bool,
    gzip: bool,
}

impl AcceptedEncodings {
    pub(super) fn parse(headers: &[&str]) -> AcceptedEncodings {
        let mut accepted = AcceptedEncodings::default();
        for item in headers.iter().flat_map(|list| list.split(',')) {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let is_accepted = quality.is_none_or(|quality| quality.parse().is_ok_and(|quality: f32| quality > 0.0));
            if name.eq_ignore_ascii_case("br") {
                accepted.brotli = is_accepted;
            } else if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                accepted.gzip = is_accepted;
            }
        }
        accepted
    }

    /// Returns the accepted encodings, the better one first.
    pub fn iter(self) -> impl Iterator<Item = Encoding> {
        [(self.brotli, Encoding::Brotli), (self.gzip, Encoding::Gzip)]
            .into_iter()
            .filter_map(|(is_accepted, encoding)| is_accepted.then_some(encoding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_with_quality_zero_are_not_accepted() {
        for (header, expected) in [
            ("gzip, deflate, br", &[Encoding::Brotli, Encoding::Gzip][..]),
            ("GZIP;q=0.5", &[Encoding::Gzip]),
            ("br;q=0, gzip; q=1.0", &[Encoding::Gzip]),
            ("br;q=0.000,gzip;Q=0", &[]),
            ("br;q=x", &[]),
            ("*", &[]),
            ("identity", &[]),
            ("", &[]),
        ] {
            let accepted: Vec<Encoding> = AcceptedEncodings::parse(&[header]).iter().collect();
            assert_eq!(accepted, expected, "{header}");
        }
        assert_eq!(AcceptedEncodings::parse(&["br", "gzip"]).iter().count(), 2, "two headers are one list");
    }
}
