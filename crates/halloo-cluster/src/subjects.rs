//! The subjects on which nodes of a cluster talk to each other.

use std::sync::Arc;

/// Subjects of a cluster: `halloo.NAME.…`.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    prefix: String,
}

impl Subjects {
    pub(crate) fn new(name: &str) -> Subjects {
        Subjects { prefix: format!("halloo.{}", token(name)) }
    }

    /// Returns the subject of messages to all clients.
    pub(crate) fn all(&self) -> Arc<str> {
        format!("{}.all", self.prefix).into()
    }

    /// Returns the subject of messages to a room.
    pub(crate) fn room(&self, room: &str) -> Arc<str> {
        format!("{}.room.{}", self.prefix, token(room)).into()
    }

    /// Returns the subject of messages to the clients of one node.
    pub(crate) fn node(&self, node: u32) -> Arc<str> {
        format!("{}.node.{node}", self.prefix).into()
    }

    /// Returns the subject on which a node says that it is there.
    pub(crate) fn beat(&self) -> Arc<str> {
        format!("{}.beat", self.prefix).into()
    }

    /// Returns a pattern for all of them.
    pub(crate) fn pattern(&self) -> String {
        format!("{}.>", self.prefix)
    }
}

/// Returns a name as one token of a subject: letters, digits and `-` as they are, every other byte as `_XX`.
fn token(name: &str) -> String {
    let mut token = String::with_capacity(name.len());
    for &byte in name.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => token.push(char::from(byte)),
            _ => token.push_str(&format!("_{byte:02x}")),
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_token_and_differ() {
        assert_eq!(token("show-1"), "show-1");
        assert_eq!(token("a b.*>_ä"), "a_20b_2e_2a_3e_5f_c3_a4");
        let subjects = Subjects::new("two words");
        assert_eq!(&*subjects.room("a.b"), "halloo.two_20words.room.a_2eb");
        assert_eq!(subjects.pattern(), "halloo.two_20words.>");
    }
}
