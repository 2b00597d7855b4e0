//! How a client shows that it knows the token of the server.

use crate::proof::Exchange;
use crate::token::Token;

/// How a client shows that it knows the token of the server.
#[derive(Clone, Debug)]
pub enum Credential {
    /// It sends the token. Use it with TLS only.
    Token(Token),
    /// It waits for the challenge of the server, which comes with the status 401.
    AwaitChallenge,
    /// It proves that it knows the token, and the server must prove the same.
    Proof(Token, Exchange),
}

impl Credential {
    /// Returns the value of `Authorization`, if the request has one.
    pub fn authorization(&self) -> Option<String> {
        match self {
            Credential::Token(token) => Some(format!("Bearer {}", token.reveal())),
            Credential::AwaitChallenge => None,
            Credential::Proof(token, exchange) => Some(exchange.to_header(token)),
        }
    }

    /// Checks a response that accepts the request; `proof` is the value of
    /// [`PROOF_HEADER`](crate::proof::PROOF_HEADER) in it.
    ///
    /// # Errors
    /// Why the response is not from the server that knows the token.
    pub fn check_response(&self, proof: Option<&str>) -> Result<(), &'static str> {
        match self {
            Credential::Token(_) => Ok(()),
            Credential::AwaitChallenge => Err(
                "it did not ask for a token, so it may be an impostor; if it is the right server, connect without a token",
            ),
            Credential::Proof(token, exchange) => {
                let is_proven = proof.is_some_and(|proof| exchange.is_server_proof(proof, token));
                is_proven.then_some(()).ok_or("it did not prove that it knows the token, so it may be an impostor")
            }
        }
    }
}
