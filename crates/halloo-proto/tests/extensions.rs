//! Offers of permessage-deflate and the responses to them (RFC 7692 section 7.1).

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::net::Ipv4Addr;

use halloo_proto::Time;
use halloo_proto::access::AccessRules;
use halloo_proto::authenticator::{Authenticator, Challenger};
use halloo_proto::extensions::DeflateOffer;
use halloo_proto::limits::HandshakeLimits;
use halloo_proto::upgrade::{Decision, RequestContext, read_head};

const ACCEPTED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Returns the offer that a request with these headers makes, and the response to it.
fn negotiate(headers: &[&str]) -> (Option<DeflateOffer>, String) {
    let offers: String = headers.iter().map(|value| format!("Sec-WebSocket-Extensions: {value}\r\n")).collect();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:8765\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offers}\r\n"
    );
    let context =
        RequestContext { ip: Ipv4Addr::LOCALHOST.into(), now: Time::ZERO, has_files: false, subprotocols: &[] };
    let decision = read_head(
        request.as_bytes(),
        context,
        &AccessRules::default(),
        &HandshakeLimits::default(),
        &mut authenticator(),
    );
    let Decision::Accept { mut response, deflate, .. } = decision else { panic!("{decision:?}") };
    if let Some(offer) = deflate {
        offer.accept_in(&mut response);
    }
    let response = String::from_utf8(response).unwrap();
    assert!(response.ends_with("\r\n\r\n") && response.matches("\r\n\r\n").count() == 1, "{response:?}");
    let accepted = response.split("\r\n").find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    (deflate, accepted.unwrap_or_default().to_owned())
}

/// An authenticator without history.
fn authenticator() -> Authenticator {
    Authenticator::new(Challenger::new("5f0c9a3be1d24477", [7; 32]))
}

#[test]
fn valid_offers_are_accepted() {
    let table: [(&[&str], &str, bool); 14] = [
        (&["permessage-deflate"], "", true),
        (&["permessage-deflate; client_max_window_bits"], "", true),
        (&["permessage-deflate; client_max_window_bits=9"], "", true),
        (&["permessage-deflate; client_no_context_takeover; server_no_context_takeover"], "", true),
        (&["permessage-deflate; server_max_window_bits=15"], "; server_max_window_bits=12", true),
        (&["permessage-deflate; server_max_window_bits=12"], "; server_max_window_bits=12", true),
        (&["permessage-deflate; server_max_window_bits=\"13\""], "; server_max_window_bits=12", true),
        // A smaller window is accepted, but messages to this client are not compressed.
        (&["permessage-deflate; server_max_window_bits=11"], "; server_max_window_bits=11", false),
        (&["permessage-deflate; server_max_window_bits=8"], "; server_max_window_bits=8", false),
        (
            &["permessage-deflate;server_max_window_bits = 12 ;client_max_window_bits"],
            "; server_max_window_bits=12",
            true,
        ),
        (&["x-webkit-deflate-frame, permessage-deflate"], "", true),
        (
            &["permessage-deflate; unknown, permessage-deflate; server_max_window_bits=10", "permessage-deflate"],
            "; server_max_window_bits=10",
            false,
        ),
        (&["unknown", "permessage-deflate"], "", true),
        (&["", "permessage-deflate; client_max_window_bits=15"], "", true),
    ];
    for (headers, more, takes_compressed) in table {
        let (offer, accepted) = negotiate(headers);
        assert_eq!(accepted, format!("{ACCEPTED}{more}"), "{headers:?}");
        assert_eq!(offer.unwrap().takes_compressed(), takes_compressed, "{headers:?}");
    }
}

#[test]
fn invalid_offers_are_declined() {
    let table = [
        "",
        ",",
        "permessage-bzip2",
        "permessage-deflate-2",
        "Permessage-Deflate",
        "permessage-deflate; ",
        "permessage-deflate; unknown",
        "permessage-deflate; unknown=1",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=012",
        "permessage-deflate; server_max_window_bits=+12",
        "permessage-deflate; server_max_window_bits=\"12",
        "permessage-deflate; server_max_window_bits=12; server_max_window_bits=12",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=x",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=12",
    ];
    for offer in table {
        assert_eq!(negotiate(&[offer]), (None, String::new()), "{offer:?}");
    }
}
