//! Runs a fuzz target with libFuzzer, or without any engine: then its program feeds it the corpus and changed copies of
//! it, the same ones every time. So the checks of every target run in `cargo xtask test`, which needs no C++ compiler.

#[cfg(feature = "engine")]
pub use libfuzzer_sys::fuzz_target;

#[cfg(not(feature = "engine"))]
mod replay;

#[cfg(not(feature = "engine"))]
pub use replay::replay;

/// Defines the program of a target, as the macro of the same name in `libfuzzer-sys` does.
#[cfg(not(feature = "engine"))]
#[macro_export]
macro_rules! fuzz_target {
    (|$input:ident: &str| $body:expr) => {
        $crate::fuzz_target!(|bytes: &[u8]| {
            if let Ok($input) = std::str::from_utf8(bytes) {
                $body
            }
        });
    };
    (|$input:ident: &[u8]| $body:expr) => {
        fn main() -> std::io::Result<()> {
            $crate::replay(env!("CARGO_BIN_NAME"), |$input: &[u8]| $body)
        }
    };
}
