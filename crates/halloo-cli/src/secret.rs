//! A token on the command line.

use halloo::{Token, TokenError};

/// What stands for an option without a value. A command line cannot contain it.
pub(crate) const RANDOM: &str = "\0";

/// A token that is not validated yet. clap repeats invalid values in its errors, so the token is validated after
/// parsing.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// Returns whether the value is empty, as that of a variable that was not set.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the token, or `None` if the option has no value or an empty one.
    ///
    /// # Errors
    /// If the token is invalid.
    pub(crate) fn token(&self) -> Result<Option<Token>, TokenError> {
        if self.0.is_empty() || self.0 == RANDOM { Ok(None) } else { Token::new(self.0.as_str()).map(Some) }
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
