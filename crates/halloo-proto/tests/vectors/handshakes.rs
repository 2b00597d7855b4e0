//! Proofs of the token, and what the response to a handshake means.

use halloo_proto::credential::Credential;
use halloo_proto::handshake::{ExpectedServer, Handshake, Response};
use halloo_proto::proof::{Challenge, Exchange};
use halloo_proto::token::Token;
use serde_json::{Value, json};

use crate::case_file::{Case, check, from_hex, text_of};

fn token(case: &Case) -> Token {
    Token::new(text_of(case, "token")).unwrap()
}

fn exchange(case: &Case) -> Option<Exchange> {
    let challenge = Challenge::new(text_of(case, "id"), text_of(case, "challenge"))?;
    Some(Exchange::new(challenge, from_hex(text_of(case, "nonce_hex")).try_into().unwrap()))
}

#[test]
fn proofs_of_the_token() {
    check("proofs.json", |case| {
        let Some(exchange) = exchange(case) else { return Value::Null };
        let token = token(case);
        json!({
            "authorization": exchange.to_header(&token),
            "client_proof": exchange.client_proof(&token),
            "server_proof": exchange.server_proof(&token),
        })
    });
}

#[test]
fn responses_to_a_handshake() {
    check("responses.json", |case| {
        let expected = case.get("expected_id").map(|id| ExpectedServer {
            id: id.as_str().unwrap().to_owned(),
            must_confirm: case["must_confirm"].as_bool().unwrap(),
        });
        let credential = match case.get("credential").and_then(Value::as_str) {
            None => None,
            Some("token") => Some(Credential::Token(token(case))),
            Some("await challenge") => Some(Credential::AwaitChallenge),
            Some("proof") => Some(Credential::Proof(token(case), exchange(case).unwrap())),
            Some(other) => panic!("unknown: {other}"),
        };
        let protocols = case.get("subprotocols").map(|names| names.as_array().unwrap().as_slice()).unwrap_or_default();
        let protocols = protocols.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        // The key of the example in RFC 6455 section 1.3.
        let handshake =
            Handshake::new(*b"the sample nonce").credential(credential).server(expected).subprotocols(protocols);
        match handshake.read_response(text_of(case, "response").as_bytes(), true) {
            Response::Incomplete => json!({ "lost": true }),
            Response::Accepted { head, confirmed, subprotocol } => {
                json!({ "accepted": { "head_bytes": head, "confirmed": confirmed, "subprotocol": subprotocol } })
            }
            Response::Refused { status, text, challenge } => {
                let challenge = challenge.map(|(challenge, is_stale)| {
                    json!({ "id": challenge.id, "challenge": challenge.text, "stale": is_stale })
                });
                json!({ "refused": { "status": status, "text": text, "challenge": challenge } })
            }
            Response::WrongServer(reason) => json!({ "wrong_server": reason }),
            Response::Invalid(reason) => json!({ "no_websocket": reason }),
        }
    });
}
