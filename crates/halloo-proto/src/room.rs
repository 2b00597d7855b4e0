//! The names of rooms, and the path that joins one.

use crate::percent;

/// Maximum length of the name of a room in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// What the path of a room begins with; the name follows.
const PREFIX: &str = "/room/";
/// What the name of a room begins with that only the server can let clients join.
const RESERVED: char = '_';

/// Why a text is not the name of a room, or not of one that a client can join without the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomNameError {
    /// The name is empty.
    #[error("the name of the room is empty; give one of 1 to {MAX_NAME_BYTES} bytes")]
    Empty,
    /// The name is too long.
    #[error("the name of the room has more than {MAX_NAME_BYTES} bytes; choose a shorter one")]
    TooLong,
    /// The name is not UTF-8 after percent-decoding.
    #[error("the name of the room is not UTF-8; percent-encode its UTF-8 bytes")]
    NotUtf8,
    /// The name begins with `_`.
    #[error("a room whose name begins with `_` can only be joined by the server; choose another name")]
    Reserved,
    /// The name is `.` or `..`, which browsers and proxies remove from a path (RFC 3986 section 5.2.4), also percent-encoded.
    #[error("a room whose name is `.` or `..` can only be joined by the server; choose another name")]
    Dots,
    /// The name has further parts in the path.
    #[error("the name of the room is one part of the path; write a `/` in it as %2F")]
    Slash,
}

/// Checks the name of a room: 1 to 64 bytes of UTF-8. Names are compared byte by byte.
///
/// # Errors
/// [`RoomNameError::Empty`] and [`RoomNameError::TooLong`].
pub fn check(name: &str) -> Result<(), RoomNameError> {
    match name.len() {
        0 => Err(RoomNameError::Empty),
        1..=MAX_NAME_BYTES => Ok(()),
        _ => Err(RoomNameError::TooLong),
    }
}

/// Returns the room that a client joins by connecting to `path`, which has no query; `None` for a path that joins none.
///
/// ```
/// use halloo_proto::room::{RoomNameError, from_path};
///
/// assert_eq!(from_path("/room/caf%C3%A9"), Ok(Some("café".to_owned())));
/// assert_eq!(from_path("/rooms"), Ok(None));
/// assert_eq!(from_path("/room/_staff"), Err(RoomNameError::Reserved));
/// ```
///
/// # Errors
/// [`RoomNameError`] if the path is that of a room, but not of one that a client can join.
pub fn from_path(path: &str) -> Result<Option<String>, RoomNameError> {
    let Some(encoded) = path.strip_prefix(PREFIX) else { return Ok(None) };
    if encoded.contains('/') {
        return Err(RoomNameError::Slash);
    }
    let name = String::from_utf8(percent::decode(encoded)).map_err(|_| RoomNameError::NotUtf8)?;
    check_of_client(&name)?;
    Ok(Some(name))
}

/// Returns the path that joins the room called `name`.
///
/// ```
/// assert_eq!(halloo_proto::room::to_path("café").as_deref(), Ok("/room/caf%C3%A9"));
/// ```
///
/// # Errors
/// [`RoomNameError`] if a client cannot join it.
pub fn to_path(name: &str) -> Result<String, RoomNameError> {
    check_of_client(name)?;
    Ok(format!("{PREFIX}{}", percent::encode(name)))
}

/// Checks the name of a room that a client can join without the server.
fn check_of_client(name: &str) -> Result<(), RoomNameError> {
    check(name)?;
    match name {
        "." | ".." => Err(RoomNameError::Dots),
        _ if name.starts_with(RESERVED) => Err(RoomNameError::Reserved),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_joins_the_room_in_its_second_part() {
        let longest = "x".repeat(MAX_NAME_BYTES);
        for (path, room) in [
            ("/room/red", Ok(Some("red"))),
            ("/room/a%2Fb", Ok(Some("a/b"))),
            ("/room/100%", Ok(Some("100%"))),
            ("/room/%zz", Ok(Some("%zz"))),
            ("/room/%E2%98%95", Ok(Some("☕"))),
            ("/room/a_", Ok(Some("a_"))),
            (&format!("/room/{longest}"), Ok(Some(longest.as_str()))),
            ("/", Ok(None)),
            ("/room", Ok(None)),
            ("/rooms/red", Ok(None)),
            ("/Room/red", Ok(None)),
            ("//room/red", Ok(None)),
            ("/room/", Err(RoomNameError::Empty)),
            ("/room/a/b", Err(RoomNameError::Slash)),
            ("/room/red/", Err(RoomNameError::Slash)),
            ("/room/%FF", Err(RoomNameError::NotUtf8)),
            ("/room/%C3", Err(RoomNameError::NotUtf8)),
            ("/room/_staff", Err(RoomNameError::Reserved)),
            ("/room/%5fstaff", Err(RoomNameError::Reserved)),
            ("/room/.", Err(RoomNameError::Dots)),
            ("/room/%2e%2E", Err(RoomNameError::Dots)),
            ("/room/...", Ok(Some("..."))),
            (&format!("/room/{longest}y"), Err(RoomNameError::TooLong)),
        ] {
            assert_eq!(from_path(path), room.map(|room| room.map(str::to_owned)), "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_path_of_a_room_joins_it(name in "\\PC{0,70}") {
            match to_path(&name) {
                Ok(path) => {
                    prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
                    prop_assert_eq!(from_path(&path), Ok(Some(name)));
                }
                Err(error) => prop_assert!(
                    check(&name) == Err(error) || name.starts_with('_') || [".", ".."].contains(&name.as_str())
                ),
            }
        }
    }
}
