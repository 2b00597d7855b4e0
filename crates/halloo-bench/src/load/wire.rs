//! The client side of RFC 6455, implemented independently of `halloo-proto`, so that a mistake in one does not hide a mistake
//! in the other.

use anyhow::{Result, bail};

pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// The `Sec-WebSocket-Accept` for the key of [`request`] (the example of RFC 6455, section 1.3).
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Returns an upgrade request.
pub(super) fn request(port: u16) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// Checks the response to [`request`]. Returns `false` while it is incomplete.
pub(super) fn check_response(bytes: &[u8]) -> Result<bool> {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, rest)) = text.split_once("\r\n\r\n") else { return Ok(false) };
    let accept = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-accept").then(|| value.trim() == ACCEPT)
    };
    if !head.starts_with("HTTP/1.1 101") || !head.lines().any(|line| accept(line) == Some(true)) {
        bail!("the handshake was refused: {}", head.lines().next().unwrap_or_default());
    }
    if !rest.is_empty() {
        bail!("the server sent data before the client did");
    }
    Ok(true)
}

/// Appends a frame, masked if there is a key.
pub(super) fn encode(out: &mut Vec<u8>, opcode: u8, payload: &[u8], key: Option<[u8; 4]>) {
    let masked = if key.is_some() { MASKED } else { 0 };
    out.push(FIN | opcode);
    match payload.len() {
        length @ 0..=125 => out.push(masked | length as u8),
        length @ 126..=0xffff => {
            out.push(masked | 126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(masked | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    match key {
        None => out.extend_from_slice(payload),
        Some(key) => {
            out.extend(key);
            out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
    }
}

/// Parses a short unmasked frame (at most 125 bytes of payload) and returns its opcode, its payload and the length of the
/// frame; `None` while it is incomplete.
pub(super) fn short_frame(bytes: &[u8]) -> Result<Option<(u8, &[u8], usize)>> {
    let &[first, length, ..] = bytes else { return Ok(None) };
    if first & 0xf0 != FIN || length > 125 {
        bail!("an unexpected frame, which begins with {first:02x} {length:02x}");
    }
    let end = 2 + usize::from(length);
    Ok(bytes.get(2..end).map(|payload| (first & 0x0f, payload, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_match_the_examples_of_rfc_6455() {
        // RFC 6455, section 5.7.
        let mut masked = Vec::new();
        encode(&mut masked, TEXT, b"Hello", Some([0x37, 0xfa, 0x21, 0x3d]));
        assert_eq!(masked, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        let mut plain = Vec::new();
        encode(&mut plain, TEXT, b"Hello", None);
        assert_eq!(plain, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        assert_eq!(short_frame(&plain).unwrap(), Some((TEXT, &b"Hello"[..], 7)));
        for (length, header) in [(256, &[0x82, 0x7e, 1, 0][..]), (65536, &[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0])] {
            let mut long = Vec::new();
            encode(&mut long, BINARY, &vec![7; length], None);
            assert_eq!((&long[..header.len()], long.len()), (header, header.len() + length));
        }
    }

    #[test]
    fn incomplete_frames_are_kept_and_wrong_ones_refused() {
        assert_eq!(short_frame(&[0x89]).unwrap(), None);
        assert_eq!(short_frame(&[0x89, 3, 1, 2]).unwrap(), None);
        assert!(short_frame(&[0x09, 0]).is_err(), "a fragment");
        assert!(short_frame(&[0x82, 126, 1]).is_err(), "a long frame");
    }

    #[test]
    fn only_the_expected_accept_key_completes_the_handshake() {
        let right = format!("HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {ACCEPT}\r\n\r\n");
        assert!(check_response(right.as_bytes()).unwrap());
        assert!(!check_response(&right.as_bytes()[..right.len() - 1]).unwrap());
        assert!(check_response(right.replace("101", "503").as_bytes()).is_err());
        assert!(check_response(right.replace("s3pP", "xxxx").as_bytes()).is_err());
        assert!(check_response((right + "x").as_bytes()).is_err());
    }
}
