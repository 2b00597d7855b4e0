//! The native half of halloo's Godot addon.
//!
//! Nodes that translate between the crate `halloo` and the engine, and nothing more: what a server does is decided
//! there, what a project sees is decided in `websocket_server.gd`.

mod server;

mod drain;
mod emitter;
mod frame;

mod browser;
mod client;
mod doctor;

mod convert;
mod options;
mod qr;
mod rates;

mod log;

#[allow(unsafe_code, reason = "an extension has to vouch here that it was built for the engine; there is no safe way")]
mod library {
    use godot::init::{ExtensionLibrary, InitStage, gdextension};

    /// The library, as the engine sees it.
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
