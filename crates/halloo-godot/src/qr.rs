//! Draws QR codes.

use godot::prelude::*;
use qrcode::{Color, QrCode};

/// The quiet zone around the code, in modules: the standard requires four.
const QUIET_ZONE: usize = 4;

/// Returns the QR code of `text` as a square image in row order, one byte per module: 0 is dark, 255 is light. Empty if `text`
/// is too long for a code.
pub(crate) fn modules(text: &str) -> PackedByteArray {
    let Ok(code) = QrCode::new(text) else { return PackedByteArray::new() };
    let (inner, colors) = (code.width(), code.to_colors());
    let width = inner + 2 * QUIET_ZONE;
    let mut image = vec![255; width * width];
    for (index, color) in colors.into_iter().enumerate() {
        if color == Color::Dark {
            image[(index / inner + QUIET_ZONE) * width + index % inner + QUIET_ZONE] = 0;
        }
    }
    PackedByteArray::from(image)
}
