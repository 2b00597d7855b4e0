//! The layout of the pad in a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use halloo::PadLayout;
use halloo_proto::pad_layout::MAX_LAYOUT_BYTES;

/// Reads the layout of the pad; the default layout without a file.
pub(crate) fn read(path: &Path) -> Result<PadLayout> {
    if path.as_os_str().is_empty() {
        return Ok(PadLayout::default());
    }
    let (shown, mut text) = (path.display(), String::new());
    // One byte more, so that a file that is too large is reported as that.
    File::open(path).and_then(|file| file.take(MAX_LAYOUT_BYTES as u64 + 1).read_to_string(&mut text)).with_context(|| {
        format!(
            "cannot read the layout {shown}; name a file with a layout such as {{\"left\": \"stick\", \"right\": [\"a\"]}}, or use \
             `--pad` alone for the default layout"
        )
    })?;
    text.parse().with_context(|| format!("invalid layout in {shown}"))
}
