//! Header fields of a request or a response, parsed strictly.

use httparse::Header;

/// Returns the trimmed values of all headers called `name`; `None` if one of them is not UTF-8.
pub(crate) fn all<'b>(headers: &[Header<'b>], name: &str) -> Option<Vec<&'b str>> {
    let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    // Only the white space of HTTP: trimming more would accept values that other parsers read differently.
    let trim = |value: &'b str| value.trim_matches([' ', '\t']);
    named.map(|header| std::str::from_utf8(header.value).map(trim).ok()).collect()
}

/// Returns whether a list of tokens, possibly in several headers, contains `token`; `None` as for [`all`].
pub(crate) fn has_token(headers: &[Header<'_>], name: &str, token: &str) -> Option<bool> {
    let values = all(headers, name)?;
    Some(values.iter().flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token)))
}
