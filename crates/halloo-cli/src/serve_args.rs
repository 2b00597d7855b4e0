//! The options of `halloo serve`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use etcetera::BaseStrategy;
use halloo::Identity;

#[cfg(feature = "cluster")]
use crate::cluster_args::ClusterArgs;
use crate::own_pages::{OwnPages, PageHeader};
use crate::secret::{self, Secret};
use crate::setting_args::SettingArgs;
use crate::tls_mode::{self, TlsMode};
use crate::token_file;

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// Require this token from clients; without a value, a random token, which the banner and its QR code show.
    ///
    /// Prefer HALLOO_TOKEN: other programs can read the command line.
    #[arg(long, env = "HALLOO_TOKEN", num_args = 0..=1, default_missing_value = secret::RANDOM, value_parser = secret::parse, help_heading = "Access")]
    pub(crate) token: Option<Secret>,
    /// Require the token in this file; a file that does not exist is created with a random token, which is kept.
    #[arg(long, env = "HALLOO_TOKEN_FILE", value_name = "FILE", conflicts_with = "token", help_heading = "Access")]
    pub(crate) token_file: Option<PathBuf>,
    /// Use TLS with a self-signed certificate, which is stored and renewed; clients pin its fingerprint.
    ///
    /// With `both`, clients without TLS can connect to the same port. `--cert` and `--key` provide another certificate.
    #[arg(long, env = "HALLOO_TLS", value_name = "both", num_args = 0..=1, require_equals = true, default_value = "off",
        default_missing_value = "only", hide_default_value = true, value_parser = tls_mode::parse, help_heading = "Access")]
    pub(crate) tls: TlsMode,
    /// Use TLS with this certificate chain in PEM format; the certificate of the server comes first.
    #[arg(long, env = "HALLOO_CERT", value_name = "FILE", requires = "key", help_heading = "Access")]
    pub(crate) cert: Option<PathBuf>,
    /// Private key of the certificate in PEM format.
    #[arg(long, env = "HALLOO_KEY", value_name = "FILE", requires = "cert", help_heading = "Access")]
    pub(crate) key: Option<PathBuf>,
    /// Serve the files in this directory, whose index.html becomes the page; they are public, also with a token.
    #[arg(long, env = "HALLOO_WWW", value_name = "DIR", value_parser = OwnPages::parse, help_heading = "Pages")]
    pub(crate) www: Option<OwnPages>,
    /// Send this header with all files, such as 'Cross-Origin-Opener-Policy: same-origin'; repeat it for several.
    #[arg(long, value_name = "HEADER", requires = "www", value_parser = PageHeader::parse, help_heading = "Pages")]
    pub(crate) www_header: Vec<PageHeader>,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Use JSON: one event per line on standard output, one command per line on standard input.
    #[arg(long, env = "HALLOO_JSON", help_heading = "Output")]
    pub(crate) json: bool,
    /// Stop when standard input ends, so that the server does not outlive the program that started it.
    #[arg(long, env = "HALLOO_EXIT_WITH_STDIN", help_heading = "Output")]
    pub(crate) exit_with_stdin: bool,
}

impl ServeArgs {
    /// Returns whether a random token is requested.
    pub(crate) fn wants_random_token(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.token() == Ok(None))
    }

    /// Returns the certificate and key, if TLS is requested.
    fn identity(&self) -> anyhow::Result<Option<Identity>> {
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            return Ok(Some(Identity::from_pem_files(cert, key)?));
        }
        if self.tls == TlsMode::Off {
            return Ok(None);
        }
        let directories = etcetera::base_strategy::choose_native_strategy();
        let directories =
            directories.context("there is no home directory to store a certificate in; use `--cert` and `--key`")?;
        Ok(Some(Identity::self_signed_in(directories.data_dir().join("halloo"))?))
    }

    pub(crate) fn config(&self) -> anyhow::Result<halloo::Config> {
        let mut config = (*self.settings.config).clone();
        config.access.setting_names = halloo::SettingNames::CommandLine;
        config.access.token = match (&self.token_file, &self.token) {
            (Some(path), _) => Some(token_file::read_or_create(path)?),
            (None, Some(token)) => token.token()?.map_or_else(halloo::random_token, Ok).map(Some)?,
            (None, None) => None,
        };
        config.tls = self.identity()?;
        config.tls_optional = self.tls == TlsMode::Both;
        config.www = self.www.as_ref().map(|pages| pages.files(&self.www_header)).transpose()?;
        Ok(config)
    }
}
