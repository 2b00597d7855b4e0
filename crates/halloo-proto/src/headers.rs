//! Header fields of a request or a response, read strictly.

use httparse::Header;

/// The trimmed values of every header called `name`; `None` when one of them is not text.
pub(crate) fn all<'b>(headers: &[Header<'b>], name: &str) -> Option<Vec<&'b str>> {
    let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    // Only what HTTP calls white space: a wider notion would let a value pass that others read differently.
    let trim = |value: &'b str| value.trim_matches([' ', '\t']);
    named.map(|header| std::str::from_utf8(header.value).map(trim).ok()).collect()
}

/// Whether a list of tokens, possibly over several headers, has `token`; `None` as for [`all`].
pub(crate) fn has_token(headers: &[Header<'_>], name: &str, token: &str) -> Option<bool> {
    let values = all(headers, name)?;
    Some(values.iter().flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token)))
}
