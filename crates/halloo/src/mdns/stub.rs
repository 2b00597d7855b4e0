//! Stub for builds without the `mdns` feature.

use std::sync::Arc;

use crate::Config;
use crate::shared::Shared;

/// Publishes nothing.
pub(crate) struct Publication;

impl Publication {
    pub(crate) fn new(_: &Config, _: &Arc<Shared>, _: &str) -> Publication {
        Publication
    }

    pub(crate) fn start(&mut self) {}

    pub(crate) fn stop(&mut self) {}

    pub(crate) fn update(&mut self) {}

    pub(crate) fn shutdown(&mut self) {}
}
