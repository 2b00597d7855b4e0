//! Request heads: more bytes do not change a decision, and a response is one head that no input can split.

#![cfg_attr(feature = "engine", no_main)]

use std::net::Ipv4Addr;

use halloo_fuzz::fuzz_target;
use halloo_proto::Time;
use halloo_proto::access::AccessRules;
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::upgrade::{Decision, RequestContext, read_head};

fuzz_target!(|bytes: &[u8]| {
    // The first byte says how much of the rest arrives first.
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let first = &bytes[..bytes.len() * usize::from(cut) / 255];
    let (early, decision) = (read(first), read(bytes));
    match &decision {
        Decision::Accept { head, response, deflate, request, .. } => {
            assert!(request.target().len() <= 4096 && !request.to_string().contains(char::is_control));
            assert!(bytes[..*head].ends_with(b"\n") && *head <= bytes.len());
            let mut response = response.clone();
            if let Some(offer) = deflate {
                offer.accept_in(&mut response);
            }
            assert!(response.starts_with(b"HTTP/1.1 101 ") && response.is_ascii());
            assert_eq!(position(&response, b"\r\n\r\n"), Some(response.len() - 4));
        }
        Decision::Refuse { response, .. } => {
            let end = position(response, b"\r\n\r\n").expect("a head");
            assert!(response[..end].is_ascii() && response.starts_with(b"HTTP/1.1 4"));
            let text = std::str::from_utf8(&response[end + 4..]).expect("text");
            assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
        }
        Decision::Respond { head_only, .. } => {
            let method: &[u8] = if *head_only { b"HEAD " } else { b"GET " };
            assert!(position(bytes, method).is_some());
        }
        Decision::Options { response, .. } => {
            assert!(position(bytes, b"OPTIONS ").is_some() && response.starts_with(b"HTTP/1.1 204 "));
        }
        Decision::Incomplete => assert_eq!(early, Decision::Incomplete),
    }
    if early != Decision::Incomplete {
        assert_eq!(early, decision, "decided too early");
    }
});

fn read(bytes: &[u8]) -> Decision {
    let mut authenticator = Authenticator::new(Challenger::new("5f0c9a3be1d24477", [7; 32]));
    let context = RequestContext { ip: Ipv4Addr::LOCALHOST.into(), now: Time::ZERO, has_files: false, subprotocols: &[] };
    read_head(bytes, context, &AccessRules::default(), &HandshakeLimits::default(), &mut authenticator)
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
