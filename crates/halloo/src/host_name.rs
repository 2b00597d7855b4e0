//! The host name of this machine.

use halloo_proto::name::{clean, is_blank};

/// Returns the name by which people know this machine: its host name without the domain, or `halloo` if it has none.
pub(crate) fn default_name() -> String {
    let host = gethostname::gethostname();
    name_of(&host.to_string_lossy()).unwrap_or("halloo").to_owned()
}

/// Returns the name in a host name. A system that was given none, such as a phone, has `localhost`.
fn name_of(host: &str) -> Option<&str> {
    let name = host.split('.').next().unwrap_or_default();
    let is_name = !is_blank(name) && !name.eq_ignore_ascii_case("localhost") && clean(name, usize::MAX) == name;
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_name_without_its_domain_is_a_name_unless_it_says_nothing() {
        assert_eq!(name_of("den"), Some("den"));
        assert_eq!(name_of("Annas-MacBook.fritz.box"), Some("Annas-MacBook"));
        for nothing in ["", " ", "localhost", "localhost.localdomain", ".", "a\u{7}b"] {
            assert_eq!(name_of(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn default_name_is_that_of_this_machine() {
        assert_eq!(crate::Config::default().name, default_name());
        let host = gethostname::gethostname();
        let host = host.to_string_lossy();
        assert_eq!(default_name(), name_of(&host).unwrap_or("halloo"));
    }
}
