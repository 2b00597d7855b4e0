//! What a client needs besides an address.

use std::io;

use halloo_proto::authenticator::Challenger;
use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::token::Token;

/// What a server requires of its clients, and what identifies it.
#[derive(Debug, Default)]
pub(crate) struct Security {
    pub(crate) token: Option<Token>,
    /// Whether every client must use TLS.
    pub(crate) requires_tls: bool,
    /// Whether a client can use TLS.
    pub(crate) offers_tls: bool,
    /// The fingerprint of its certificate, if that is self-signed.
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl Security {
    /// Returns the scheme of its URLs: for browsers, or for programs.
    pub(crate) fn scheme(&self, for_browsers: bool) -> &'static str {
        match (for_browsers, self.requires_tls) {
            (false, false) => "ws",
            (false, true) => "wss",
            (true, false) => "http",
            (true, true) => "https",
        }
    }

    /// Returns the fragment of an invitation with or without TLS, which a browser does not send.
    pub(crate) fn fragment(&self, with_tls: bool) -> String {
        let token = self.token.as_ref().map(|token| format!("token={}", token.reveal()));
        // A program with a fingerprint insists on TLS.
        let fingerprint = self.fingerprint.filter(|_| with_tls);
        let fingerprint = fingerprint.map(|fingerprint| format!("fp={}", fingerprint.short()));
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
        assert_eq!((security.fragment(true), security.scheme(true)), (String::new(), "http"));
        security.token = Some(Token::from([0; 16]));
        assert_eq!(security.fragment(true), "#token=AAAAAAAAAAAAAAAAAAAAAA");
        (security.offers_tls, security.fingerprint) = (true, Some([0; 32].into()));
        assert_eq!((security.fragment(false), security.scheme(true)), ("#token=AAAAAAAAAAAAAAAAAAAAAA".into(), "http"));
        security.requires_tls = true;
        let link = format!("{}://10.0.0.1:8765/{}", security.scheme(true), security.fragment(true));
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
