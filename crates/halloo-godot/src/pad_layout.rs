//! Layouts of the pad, which scripts write as dictionaries.

use godot::prelude::*;
use serde_json::Value;

use crate::convert;

/// Deeper than any layout. A dictionary may contain itself.
const MAX_DEPTH: usize = 4;

/// Returns a layout as JSON: that of a dictionary, which is empty for none, or a string with it; `None` for other types.
pub(crate) fn json_of(layout: &Variant) -> Option<String> {
    match layout.try_to::<VarDictionary>() {
        Ok(layout) if layout.is_empty() => Some(String::new()),
        Ok(_) => Some(value_of(layout, MAX_DEPTH).to_string()),
        Err(_) => layout.try_to::<GString>().ok().map(|text| text.to_string()),
    }
}

/// Returns what is wrong with a layout, in a part of a sentence; `None` if it is valid or none.
pub(crate) fn fault(json: &str) -> Option<String> {
    let error = Some(json).filter(|json| !json.is_empty())?.parse::<halloo::PadLayout>().err()?;
    Some(format!("{}: {error}", halloo_proto::text::escape(json, 200)))
}

/// Converts what a layout can consist of, down to `depth`; everything else becomes its text, which is not valid where it
/// stands.
fn value_of(variant: &Variant, depth: usize) -> Value {
    // By type, because the engine also converts a string to an empty list.
    match variant.get_type() {
        _ if depth == 0 => Value::Null,
        VariantType::DICTIONARY => {
            let pair =
                |(key, value): (Variant, Variant)| (convert::text(&key.stringify()), value_of(&value, depth - 1));
            Value::Object(variant.to::<VarDictionary>().iter_shared().map(pair).collect())
        }
        VariantType::ARRAY => variant.to::<VarArray>().iter_shared().map(|value| value_of(&value, depth - 1)).collect(),
        VariantType::PACKED_STRING_ARRAY => {
            variant.to::<PackedStringArray>().as_slice().iter().map(convert::text).map(Value::String).collect()
        }
        VariantType::BOOL => Value::Bool(variant.to()),
        _ => Value::String(convert::text(&variant.stringify())),
    }
}
