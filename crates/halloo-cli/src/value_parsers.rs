//! Parsers of values on the command line that are no settings of the server.

use halloo::settings::{Kind, Value};
use halloo_proto::name::is_blank;
use halloo_proto::room::to_path;

/// Parses the name of a room that a client can join.
pub(crate) fn parse_room(text: &str) -> Result<String, String> {
    to_path(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Parses the name of a subprotocol.
pub(crate) fn parse_subprotocol(text: &str) -> Result<String, String> {
    let name = Value::List(vec![text.to_owned()]);
    Kind::Subprotocols.check(name).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Parses an application id or the name of an interface.
pub(crate) fn parse_text(text: &str) -> Result<String, String> {
    if is_blank(text) { Err("give a text that is not empty or blank".into()) } else { Ok(text.to_owned()) }
}
