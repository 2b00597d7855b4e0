//! Proofs of the token: the client and the server of this crate in memory, and an attacker who reads along.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::access::{AccessRules, Denied};
use halloo_proto::authenticator::{Authenticator, CHALLENGE_TIMEOUT, Challenger};
use halloo_proto::credential::Credential;
use halloo_proto::handshake::{ExpectedServer, Handshake, Response};
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::proof::{Challenge, Exchange};
use halloo_proto::token::Token;
use halloo_proto::upgrade::{Decision, Refusal, RequestContext, read_head};

const ID: &str = "5f0c9a3be1d24477";
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9));
const START: Time = Time::from_micros(1_000_000);

fn token() -> Token {
    Token::new("the-otters-meet-at-nine").unwrap()
}

/// A server with a token.
struct Server {
    rules: AccessRules,
    authenticator: Authenticator,
    now: Time,
}

impl Server {
    fn new() -> Server {
        let mut rules = AccessRules::default();
        rules.token = Some(token());
        Server { rules, authenticator: Authenticator::new(Challenger::new(ID, [7; 32])), now: START }
    }

    fn challenge(&self) -> Challenge {
        self.authenticator.challenger().issue(self.now)
    }

    fn decide(&mut self, request: &[u8]) -> Decision {
        let context = RequestContext { ip: PEER, now: self.now, has_files: false, subprotocols: &[] };
        read_head(request, context, &self.rules, &HandshakeLimits::default(), &mut self.authenticator)
    }

    /// Returns the response to a request, and why it is refused.
    fn respond(&mut self, request: &[u8]) -> (Vec<u8>, Option<Refusal>) {
        match self.decide(request) {
            Decision::Accept { response, .. } => (response, None),
            Decision::Refuse { response, reason } => (response, Some(reason)),
            other => panic!("{other:?}"),
        }
    }

    fn refusal(&mut self, request: &[u8]) -> Option<Refusal> {
        self.respond(request).1
    }
}

fn proving(challenge: Challenge, token: Token, nonce: [u8; 16]) -> Handshake {
    let exchange = Exchange::new(challenge, nonce);
    Handshake::new(*b"the sample nonce").credential(Some(Credential::Proof(token, exchange)))
}

fn request(handshake: &Handshake) -> Vec<u8> {
    handshake.request(&"ws://192.168.1.5:8765".parse().unwrap())
}

#[test]
fn proofs_have_the_form_of_the_test_vectors_in_protocol_md() {
    let exchange = Exchange::new(Challenge::new(ID, "AAAAAAAPQkCbAAECAwQFBgcICQoLDA0O").unwrap(), *b"sixteen random b");
    assert_eq!(exchange.client_proof(&token()), "YKBk6jq4xXsio6YtDzW_h4G4BwxhnAjhqTA10Z8vbo4");
    assert_eq!(exchange.server_proof(&token()), "mi055TvwuCschFA-xCk9XOqW1QHS5hQXeYHg8ziVzBw");
    let long = Token::new("~".repeat(100)).unwrap();
    let exchange = Exchange::new(Challenge::new("a1", "x").unwrap(), [0; 16]);
    assert_eq!(exchange.client_proof(&long), "c6HDaZYhZnNkxE6STAFqz6syHRcRJDFTxvKqHprj2dQ");
    assert_eq!(exchange.server_proof(&long), "onj9t-E8-lGh-PETVt9O5NWGYP_piVB2UHWUMhlTEHw");
}

#[test]
fn client_and_server_prove_the_token_to_each_other_without_sending_it() {
    let mut server = Server::new();
    let handshake = proving(server.challenge(), token(), [1; 16]);
    let request = request(&handshake);
    let (response, refusal) = server.respond(&request);
    assert_eq!(refusal, None);
    assert!(matches!(handshake.read_response(&response, false), Response::Accepted { .. }));
    let sent = String::from_utf8([request, response].concat()).unwrap();
    assert!(!sent.contains(token().reveal()), "{sent}");
}

#[test]
fn client_without_a_challenge_gets_one_with_the_refusal() {
    let mut server = Server::new();
    let waiting = Handshake::new([0; 16]).credential(Some(Credential::AwaitChallenge));
    let (response, refusal) = server.respond(&request(&waiting));
    assert_eq!(refusal, Some(Refusal::Denied(Denied::MissingToken)));
    let Response::Refused { status: 401, challenge: Some((challenge, false)), .. } =
        waiting.read_response(&response, true)
    else {
        panic!("{}", String::from_utf8_lossy(&response))
    };
    assert_eq!(challenge, server.challenge());
    assert_eq!(server.refusal(&request(&proving(challenge, token(), [1; 16]))), None);
}

#[test]
fn proof_is_accepted_once_and_for_a_minute() {
    let mut server = Server::new();
    let (challenge, stale) = (server.challenge(), Some(Refusal::Denied(Denied::StaleProof)));
    let first = request(&proving(challenge.clone(), token(), [1; 16]));
    assert_eq!(server.refusal(&first), None);
    assert_eq!(server.refusal(&first), stale, "an eavesdropper sent it again");
    assert_eq!(server.refusal(&request(&proving(challenge.clone(), token(), [2; 16]))), None, "another client");
    server.now = START + CHALLENGE_TIMEOUT;
    assert_eq!(server.refusal(&first), stale);
    assert_eq!(server.refusal(&request(&proving(challenge.clone(), token(), [3; 16]))), None);
    server.now = server.now + Duration::from_micros(1);
    let late = proving(challenge, token(), [4; 16]);
    let (response, refusal) = server.respond(&request(&late));
    assert_eq!(refusal, stale);
    let Response::Refused { challenge: Some((fresh, true)), .. } = late.read_response(&response, true) else {
        panic!("{}", String::from_utf8_lossy(&response))
    };
    assert_eq!(server.refusal(&request(&proving(fresh, token(), [4; 16]))), None);
}

#[test]
fn accepted_proofs_are_bounded_and_never_accepted_again() {
    let mut server = Server::new();
    let mut requests = Vec::new();
    for number in 0..20_000_u128 {
        server.now = server.now + Duration::from_micros(10);
        let request = request(&proving(server.challenge(), token(), number.to_be_bytes()));
        assert_eq!(server.refusal(&request), None);
        requests.push(request);
    }
    for request in requests {
        assert_eq!(server.refusal(&request), Some(Refusal::Denied(Denied::StaleProof)));
    }
}

#[test]
fn wrong_proofs_are_refused() {
    let mut server = Server::new();
    let wrong = Some(Refusal::Denied(Denied::WrongToken));
    let other = Token::new("the-otters-meet-at-ten").unwrap();
    assert_eq!(server.refusal(&request(&proving(server.challenge(), other, [1; 16]))), wrong);
    let right = request(&proving(server.challenge(), token(), [1; 16]));
    let right = String::from_utf8(right).unwrap();
    for (from, to) in [
        ("nonce=\"", "nonce=\"A"),
        ("nonce=\"AQEBAQEBAQEBAQEBAQEBAQ\"", "nonce=\"\""),
        ("proof=\"", "proof=\"A"),
        ("proof=", "other="),
        ("Authorization:", "Authorization: Bearer x\r\nAuthorization:"),
    ] {
        let mut server = Server::new();
        assert!(right.contains(from), "{from}");
        assert_eq!(server.refusal(right.replace(from, to).as_bytes()), wrong, "{to}");
    }
    // Two proofs in a request would be two guesses.
    let line = right.lines().find(|line| line.starts_with("Authorization")).unwrap();
    let twice = right.replace(line, &format!("{line}\r\n{line}"));
    assert_eq!(Server::new().refusal(twice.as_bytes()), wrong);
    assert_eq!(Server::new().refusal(right.as_bytes()), None);
}

#[test]
fn challenge_of_another_server_or_another_start_is_not_accepted() {
    let mut server = Server::new();
    let stale = Some(Refusal::Denied(Denied::StaleProof));
    let restarted = Challenger::new("0000000000000001", [8; 32]).issue(START);
    assert_eq!(server.refusal(&request(&proving(restarted, token(), [1; 16]))), stale);
    for text in ["x", "", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"] {
        let invented = Challenge { id: ID.into(), text: text.into() };
        assert_eq!(server.refusal(&request(&proving(invented, token(), [1; 16]))), stale, "{text}");
    }
    // The challenge of this server, relayed by one with another id: the hash is for that id.
    let relayed = Challenge { id: "0000000000000001".into(), ..server.challenge() };
    let wrong = Some(Refusal::Denied(Denied::WrongToken));
    assert_eq!(server.refusal(&request(&proving(relayed, token(), [1; 16]))), wrong);
}

#[test]
fn ten_wrong_proofs_are_checked_and_stale_ones_are_no_guesses() {
    let mut server = Server::new();
    let stale = request(&proving(Challenger::new(ID, [0; 32]).issue(START), token(), [1; 16]));
    for _ in 0..100 {
        assert_eq!(server.refusal(&stale), Some(Refusal::Denied(Denied::StaleProof)));
    }
    for number in 0..10_u128 {
        let guess = Token::from(number.to_be_bytes());
        let request = request(&proving(server.challenge(), guess, [1; 16]));
        assert_eq!(server.refusal(&request), Some(Refusal::Denied(Denied::WrongToken)));
    }
    let right = request(&proving(server.challenge(), token(), [1; 16]));
    assert_eq!(server.refusal(&right), Some(Refusal::Denied(Denied::TooManyWrongTokens)));
    server.now = server.now + Duration::from_secs(11);
    assert_eq!(server.refusal(&request(&proving(server.challenge(), token(), [1; 16]))), None);
}

#[test]
fn impostor_that_does_not_know_the_token_is_not_accepted() {
    let (mut server, mut impostor) = (Server::new(), Server::new());
    impostor.rules.token = None;
    let handshake = proving(server.challenge(), token(), [1; 16]);
    let accepted = impostor.respond(&request(&handshake)).0;
    assert!(matches!(handshake.read_response(&accepted, false), Response::WrongServer(why) if why.contains("prove")));
    // The proof of the server for another client is of no use to the impostor.
    let other = proving(server.challenge(), token(), [2; 16]);
    let for_other = server.respond(&request(&other)).0;
    assert!(matches!(handshake.read_response(&for_other, false), Response::WrongServer(_)));
    assert!(matches!(other.read_response(&for_other, false), Response::Accepted { .. }));
    let waiting = Handshake::new([0; 16]).credential(Some(Credential::AwaitChallenge));
    let accepted = impostor.respond(&request(&waiting)).0;
    assert!(matches!(waiting.read_response(&accepted, false), Response::WrongServer(why) if why.contains("ask")));
}

#[test]
fn web_page_proves_the_token_in_a_subprotocol_that_is_never_accepted() {
    let mut server = Server::new();
    let exchange = Exchange::new(server.challenge(), [1; 16]);
    let (challenge, proof) = (server.challenge().text, exchange.client_proof(&token()));
    let plain = String::from_utf8(request(&Handshake::new(*b"the sample nonce"))).unwrap();
    let offer = format!("halloo.v1, halloo.proof.{challenge}.AQEBAQEBAQEBAQEBAQEBAQ.{proof}");
    let with = |offer: &str| plain.replace("\r\n\r\n", &format!("\r\nSec-WebSocket-Protocol: {offer}\r\n\r\n"));
    let (response, refusal) = server.respond(with(&offer).as_bytes());
    assert_eq!(refusal, None);
    let response = String::from_utf8(response).unwrap();
    assert!(response.contains("\r\nSec-WebSocket-Protocol: halloo.v1\r\n"), "{response}");
    assert!(response.contains(&format!("\r\nHalloo-Proof: {}\r\n", exchange.server_proof(&token()))), "{response}");
    assert_eq!(server.refusal(with(&offer).as_bytes()), Some(Refusal::Denied(Denied::StaleProof)));
    for malformed in ["halloo.proof.", "halloo.proof.a", "halloo.proof.a.b", "halloo.proof.a.b.c.d", "halloo.proof..."]
    {
        assert!(server.refusal(with(malformed).as_bytes()).is_some(), "{malformed}");
    }
}

#[test]
fn status_is_proven_like_a_handshake() {
    let mut server = Server::new();
    let exchange = Exchange::new(server.challenge(), [1; 16]);
    let head =
        format!("GET /status HTTP/1.1\r\nHost: 192.168.1.5\r\nAuthorization: {}\r\n\r\n", exchange.to_header(&token()));
    match server.decide(head.as_bytes()) {
        Decision::Respond { proof: Some(proof), .. } => assert!(exchange.is_server_proof(&proof, &token())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn with_proofs_only_the_token_itself_is_refused() {
    let mut server = Server::new();
    server.rules.token_proof_only = true;
    let in_clear = Handshake::new([0; 16]).credential(Some(Credential::Token(token())));
    let (response, refusal) = server.respond(&request(&in_clear));
    assert_eq!(refusal, Some(Refusal::Denied(Denied::TokenInClear)));
    let response_text = String::from_utf8(response.clone()).unwrap();
    assert!(response_text.starts_with("HTTP/1.1 401") && !response_text.contains("Bearer"), "{response_text}");
    let Response::Refused { challenge: Some((challenge, _)), .. } = in_clear.read_response(&response, true) else {
        panic!("{response_text}")
    };
    assert_eq!(server.refusal(&request(&proving(challenge, token(), [1; 16]))), None);
    let plain = String::from_utf8(request(&Handshake::new([0; 16]))).unwrap();
    for in_clear in [
        plain.replace("GET /", &format!("GET /?token={}", token().reveal())),
        plain.replace("\r\n\r\n", &format!("\r\nSec-WebSocket-Protocol: halloo.token.{}\r\n\r\n", token().reveal())),
    ] {
        assert_eq!(server.refusal(in_clear.as_bytes()), Some(Refusal::Denied(Denied::TokenInClear)), "{in_clear}");
    }
}

#[test]
fn handshake_for_another_server_is_refused_and_a_server_that_is_not_meant_is_not_accepted() {
    let mut server = Server::new();
    server.rules.token = None;
    let expected = |id: &str, must_confirm| Some(ExpectedServer { id: id.into(), must_confirm });
    let meant = Handshake::new(*b"the sample nonce").server(expected(ID, true));
    let (response, refusal) = server.respond(&request(&meant));
    assert_eq!(refusal, None);
    assert!(matches!(meant.read_response(&response, false), Response::Accepted { confirmed: true, .. }));
    let other = Handshake::new(*b"the sample nonce").server(expected("0000000000000001", false));
    let refusal = server.refusal(&request(&other));
    assert_eq!(refusal.as_ref().map(Refusal::status), Some(421), "{refusal:?}");
    assert!(matches!(other.read_response(&response, false), Response::WrongServer(_)), "it has another id");
    // Another program does not know the header.
    let without = String::from_utf8(response).unwrap().replace(&format!("Halloo-Id: {ID}\r\n"), "");
    assert!(matches!(meant.read_response(without.as_bytes(), false), Response::WrongServer(_)));
    assert!(matches!(other.read_response(without.as_bytes(), false), Response::Accepted { confirmed: false, .. }));
}
