//! A QR code as the grey levels of an image.

use godot::prelude::*;
use qrcode::{Color, QrCode};

/// Light modules around the code: readers ask for four.
const QUIET: usize = 4;

/// The code of `text`, one byte a module, row by row, 0 for dark and 255 for light; it is square. Empty when `text` is
/// too long for a code.
pub(crate) fn modules(text: &str) -> PackedByteArray {
    let Ok(code) = QrCode::new(text) else { return PackedByteArray::new() };
    let (inner, colors) = (code.width(), code.to_colors());
    let width = inner + 2 * QUIET;
    let mut image = vec![255; width * width];
    for (index, color) in colors.into_iter().enumerate() {
        if color == Color::Dark {
            image[(index / inner + QUIET) * width + index % inner + QUIET] = 0;
        }
    }
    PackedByteArray::from(image)
}
