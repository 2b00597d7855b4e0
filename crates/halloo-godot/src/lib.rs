//! The native library of halloo's Godot addon.
//!
//! Its nodes only translate between the crate `halloo` and the engine. The behaviour of a server is defined in `halloo`, the
//! API for projects in `websocket_server.gd`.

mod server;

mod drain;
mod emitter;
mod frame;
mod frame_budget;

mod browser;
mod client;
mod doctor;

mod convert;
mod options;
mod pad_layout;
mod pages;
mod qr;
mod rates;

mod log;

#[allow(unsafe_code, reason = "the entry point of an extension requires an unsafe impl")]
mod library {
    use godot::init::{ExtensionLibrary, InitStage, gdextension};

    /// The entry point of the library.
    struct Addon;

    #[gdextension]
    unsafe impl ExtensionLibrary for Addon {
        fn on_stage_init(stage: InitStage) {
            if stage == InitStage::Scene {
                super::log::install();
            }
        }
    }
}
