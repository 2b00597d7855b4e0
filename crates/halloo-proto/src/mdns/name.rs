//! Domain names.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Maximum bytes of a label (RFC 1035 section 2.3.4).
const MAX_LABEL_BYTES: usize = 63;
/// Maximum bytes of a name in a packet, with the length of each label and the empty label at the end.
const MAX_NAME_BYTES: usize = 255;

/// A domain name. Comparisons ignore the case of ASCII letters (RFC 6762 section 16).
///
/// ```
/// use halloo_proto::mdns::Name;
///
/// let name = Name::parse("Den.local").expect("a valid name");
/// assert_eq!(name, Name::parse("den.local.").expect("a valid name"));
/// assert_eq!(name.to_string(), "Den.local");
/// ```
#[derive(Clone, Eq)]
pub struct Name {
    /// The labels, each after its length. A length is at most 63, which is no letter, so that one comparison of the bytes
    /// without regard to case compares the names.
    wire: Box<[u8]>,
}

impl Name {
    /// Parses labels separated by dots, with or without one at the end. Returns `None` if there is no label, or if one is
    /// empty or too long, or all together are.
    pub fn parse(text: &str) -> Option<Name> {
        Name::from_labels(text.strip_suffix('.').unwrap_or(text).split('.').map(str::as_bytes))
    }

    /// Creates a name from its labels, which may contain dots. Returns `None` in the cases of [`Name::parse`].
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Option<Name> {
        let mut wire = Vec::new();
        for label in labels {
            let length =
                u8::try_from(label.len()).ok().filter(|length| (1..=MAX_LABEL_BYTES as u8).contains(length))?;
            wire.push(length);
            wire.extend_from_slice(label);
        }
        (!wire.is_empty() && wire.len() < MAX_NAME_BYTES).then(|| Name { wire: wire.into() })
    }

    /// Returns this name with one more label in front. Returns `None` in the cases of [`Name::parse`].
    pub fn child(&self, label: &[u8]) -> Option<Name> {
        Name::from_labels(std::iter::once(label).chain(self.labels()))
    }

    /// Returns the labels.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.wire[..];
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (label, after) = after.split_at_checked(usize::from(length))?;
            rest = after;
            Some(label)
        })
    }

    /// Returns the bytes of the name in a packet without compression, but for the empty label at its end.
    pub(super) fn len(&self) -> usize {
        self.wire.len()
    }

    /// Returns the first label, and replaces what is not UTF-8.
    pub fn first_label(&self) -> String {
        String::from_utf8_lossy(self.labels().next().unwrap_or_default()).into_owned()
    }

    /// Returns whether the name is `parent` with one more label in front.
    pub fn is_child_of(&self, parent: &Name) -> bool {
        let first = self.labels().next().map_or(0, |label| label.len() + 1);
        self.wire[first..].eq_ignore_ascii_case(&parent.wire)
    }

    /// Returns the name as it is in a packet, without compression.
    pub(super) fn to_wire(&self) -> impl Iterator<Item = u8> {
        self.wire.iter().copied().chain([0])
    }

    fn lowercase(&self) -> impl Iterator<Item = u8> {
        self.wire.iter().map(u8::to_ascii_lowercase)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        self.lowercase().cmp(other.lowercase())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lowercase().for_each(|byte| state.write_u8(byte));
    }
}

impl fmt::Display for Name {
    /// Writes the labels with dots between them. It is for messages: a dot in a label is not marked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, label) in self.labels().enumerate() {
            write!(f, "{}{}", if index > 0 { "." } else { "" }, String::from_utf8_lossy(label))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_labels_and_names_are_checked() {
        assert!(Name::parse("").is_none() && Name::parse("a..b").is_none());
        assert!(Name::parse(&"a".repeat(63)).is_some() && Name::parse(&"a".repeat(64)).is_none());
        let labels = |count: usize| vec!["1234567"; count].join(".");
        assert!(Name::parse(&labels(31)).is_some() && Name::parse(&labels(32)).is_none());
    }

    #[test]
    fn child_has_one_more_label_that_may_contain_dots() {
        let parent = Name::parse("_halloo._tcp.local").unwrap();
        let child = parent.child("Dr. Öz v2.0".as_bytes()).unwrap();
        assert!(child.is_child_of(&parent) && child.is_child_of(&Name::parse("_HALLOO._tcp.Local").unwrap()));
        assert_eq!(child.first_label(), "Dr. Öz v2.0");
        assert!(!parent.is_child_of(&parent) && !child.child(b"x").unwrap().is_child_of(&parent));
        assert!(!Name::parse("x_halloo._tcp.local").unwrap().is_child_of(&parent));
    }
}
