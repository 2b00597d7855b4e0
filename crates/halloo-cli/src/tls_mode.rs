//! The value of `--tls`.

/// Whether clients use TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsMode {
    Off,
    Only,
    Both,
}

/// Parses a value of `--tls` or HALLOO_TLS, which can be switched on and off like a flag.
pub(crate) fn parse(text: &str) -> Result<TlsMode, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "0" | "false" | "no" | "off" => Ok(TlsMode::Off),
        "1" | "true" | "yes" | "on" | "only" => Ok(TlsMode::Only),
        "both" => Ok(TlsMode::Both),
        _ => Err("use `--tls` for TLS only, or `--tls=both` to accept clients without TLS, too".into()),
    }
}
