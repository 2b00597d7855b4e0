//! A token on the command line.

use halloo::{Token, TokenError};

/// A token that is not validated yet. clap repeats invalid values in its errors, so the token is validated after
/// parsing.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// Returns the token, or `None` if the option has no value.
    ///
    /// # Errors
    /// If the token is invalid.
    pub(crate) fn token(&self) -> Result<Option<Token>, TokenError> {
        if self.0.is_empty() { Ok(None) } else { Token::new(self.0.as_str()).map(Some) }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Parses a secret; never fails.
pub(crate) fn parse(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret(text.to_owned()))
}
