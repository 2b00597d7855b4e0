//! Responses to a handshake: only a response that matches the key is accepted, and the text of a refusal is escaped.

#![cfg_attr(feature = "engine", no_main)]

use halloo_fuzz::fuzz_target;
use halloo_proto::handshake::{Handshake, Response};
use halloo_proto::text::escape;

/// The nonce of RFC 6455 section 1.3, and the matching `Sec-WebSocket-Accept`.
const NONCE: [u8; 16] = *b"the sample nonce";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fuzz_target!(|input: &[u8]| {
    let Some((&ended, bytes)) = input.split_first() else { return };
    match Handshake::new(NONCE).read_response(bytes, ended & 1 == 1) {
        Response::Accepted { head, .. } => {
            assert!(bytes[..head].ends_with(b"\n"));
            assert!(bytes.starts_with(b"HTTP/1.1 101"));
            assert!(bytes[..head].windows(ACCEPT.len()).any(|window| window == ACCEPT));
        }
        Response::Refused { status, text, .. } => {
            assert!(status != 101 && text.len() <= 300 + '…'.len_utf8());
            assert_eq!(escape(&text, usize::MAX), text);
        }
        Response::Incomplete => assert!(bytes.len() <= 8 * 1024),
        Response::WrongServer(_) | Response::Invalid(_) => {}
    }
});
