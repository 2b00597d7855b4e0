//! The layout of the pad in a file.

use std::fs::File;
use std::io::Read;

use halloo::PadLayout;
use halloo_proto::pad_layout::MAX_LAYOUT_BYTES;

/// What stands for the default layout instead of the name of a file, also in the environment.
pub(crate) const DEFAULT: &str = "default";

/// What the option accepts.
pub(crate) const ALLOWED: &str =
    "the name of a file with a layout, as docs/pad.md describes it, or nothing for the default layout";

/// Reads the layout in the file with this name.
pub(crate) fn parse(name: &str) -> Result<PadLayout, String> {
    if name == DEFAULT {
        return Ok(PadLayout::default());
    }
    let mut text = String::new();
    // One byte more, so that a file that is too large is reported as that.
    let read = File::open(name).and_then(|file| file.take(MAX_LAYOUT_BYTES as u64 + 1).read_to_string(&mut text));
    read.map_err(|error| {
        format!(
            "{error}; name a file with a layout such as {{\"left\": \"stick\", \"right\": [\"a\"]}}, or use `--pad` without a \
             value for the default layout"
        )
    })?;
    text.parse().map_err(|error| format!("{error}"))
}
