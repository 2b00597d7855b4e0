//! The token as the command line gives it.

use halloo::{Token, TokenError};

/// A token as it was given. clap repeats invalid values in its errors, so this is parsed without one and checked later.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// Returns the token; `None` when the option has no value.
    pub(crate) fn token(&self) -> Result<Option<Token>, TokenError> {
        if self.0.is_empty() { Ok(None) } else { Token::new(self.0.as_str()).map(Some) }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

pub(crate) fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret(text.to_owned()))
}
