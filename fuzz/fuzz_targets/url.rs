//! URLs: a parsed URL survives a round trip, and does not split the request.

#![cfg_attr(feature = "engine", no_main)]

use halloo_fuzz::fuzz_target;
use halloo_proto::handshake::Handshake;
use halloo_proto::url::Url;

fuzz_target!(|text: &str| {
    match text.parse::<Url>() {
        Ok(url) => {
            // A token is not displayed.
            if url.to_string().is_ascii() {
                assert_eq!(url.to_string().parse(), Ok(url.clone()), "{url}");
            }
            let request = Handshake::new([7; 16]).request(&url);
            let request = std::str::from_utf8(&request).expect("ASCII");
            assert!(request.is_ascii());
            let lines: Vec<&str> = request.split("\r\n").collect();
            assert_eq!(lines.len(), 8, "{request:?}");
            assert!(lines.iter().all(|line| !line.contains(['\r', '\n'])));
            assert_eq!(lines[0].split(' ').count(), 3, "{request:?}");
        }
        Err(error) => assert!(!error.to_string().chars().any(char::is_control), "{error}"),
    }
});
