//! The certificate of servers that are measured with TLS.

use std::path::{Path, PathBuf};

use anyhow::Result;
use halloo::Config;

/// Returns the directory for [`create`].
pub(crate) fn directory() -> PathBuf {
    PathBuf::from("target/bench/certificate")
}

/// Returns a file with a certificate and its key, which is created the first time.
#[cfg(feature = "tls")]
pub(crate) fn create(directory: &Path) -> Result<PathBuf> {
    halloo::Identity::self_signed_in(directory)?;
    Ok(directory.join("halloo.pem"))
}

/// Lets a server use the certificate in `file`. With `optional`, clients without TLS may connect as well.
#[cfg(feature = "tls")]
pub(crate) fn use_in(config: &mut Config, file: &Path, optional: bool) -> Result<()> {
    config.tls = Some(halloo::Identity::from_pem_files(file, file)?);
    config.tls_optional = optional;
    Ok(())
}

#[cfg(not(feature = "tls"))]
pub(crate) fn create(_: &Path) -> Result<PathBuf> {
    anyhow::bail!("this program was built without TLS; build it with the feature `tls`")
}

#[cfg(not(feature = "tls"))]
pub(crate) fn use_in(_: &mut Config, _: &Path, _: bool) -> Result<()> {
    anyhow::bail!("this program was built without TLS; build it with the feature `tls`")
}
