//! What a client needs besides an address.

use std::io;

use halloo_proto::authenticator::Challenger;
use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::token::Token;

/// What a server requires of its clients, and what identifies it.
#[derive(Debug, Default)]
pub(crate) struct Security {
    pub(crate) token: Option<Token>,
    pub(crate) tls: bool,
    /// The fingerprint of its certificate, if that is self-signed.
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl Security {
    /// Returns the scheme of its URLs: for browsers, or for programs.
    pub(crate) fn scheme(&self, for_browsers: bool) -> &'static str {
        match (for_browsers, self.tls) {
            (false, false) => "ws",
            (false, true) => "wss",
            (true, false) => "http",
            (true, true) => "https",
        }
    }

    /// Returns the fragment of an invitation, which a browser does not send.
    pub(crate) fn fragment(&self) -> String {
        let token = self.token.as_ref().map(|token| format!("token={}", token.reveal()));
        let fingerprint = self.fingerprint.map(|fingerprint| format!("fp={}", fingerprint.short()));
        let pairs: Vec<String> = token.into_iter().chain(fingerprint).collect();
        if pairs.is_empty() { String::new() } else { format!("#{}", pairs.join("&")) }
    }
}

/// Returns a token of 128 random bits, for [`AccessRules::token`](crate::AccessRules::token).
///
/// ```
/// let config = halloo::Config::local().access(halloo::AccessRules::default().token(halloo::random_token()?));
/// let server = halloo::Server::start(config)?;
/// println!("join at {}", server.invitation()); // http://127.0.0.1:8765/#token=…
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the system has no random numbers.
pub fn random_token() -> io::Result<Token> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Token::from(bits))
}

/// Returns the challenger of a server, with a random id and a random key.
pub(crate) fn new_challenger() -> io::Result<Challenger> {
    let (mut id, mut key) = ([0; 8], [0; 32]);
    getrandom::fill(&mut id)
        .and_then(|()| getrandom::fill(&mut key))
        .map_err(|error| io::Error::other(error.to_string()))?;
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Challenger::new(id, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_contains_what_is_configured_and_nothing_else() {
        let mut security = Security::default();
        assert_eq!((security.fragment(), security.scheme(true)), (String::new(), "http"));
        security.token = Some(Token::from([0; 16]));
        assert_eq!(security.fragment(), "#token=AAAAAAAAAAAAAAAAAAAAAA");
        (security.tls, security.fingerprint) = (true, Some([0; 32].into()));
        let link = format!("{}://10.0.0.1:8765/{}", security.scheme(true), security.fragment());
        let url: halloo_proto::url::Url = link.parse().unwrap();
        assert_eq!((url.token(), url.fingerprint()), (security.token.as_ref(), security.fingerprint));
    }

    #[test]
    fn random_tokens_differ() {
        let (one, other) = (random_token().unwrap(), random_token().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), 22);
    }
}
