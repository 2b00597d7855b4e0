//! Stub for builds without the `mdns` feature.

use std::io;
use std::sync::Arc;

use halloo_proto::Time;
use halloo_proto::interfaces::Interface;
use mio::{Registry, Token};

use crate::Config;
use crate::shared::Shared;

/// Publishes nothing.
pub(crate) struct Publication;

impl Publication {
    pub(crate) fn new(_: &Config, _: &Arc<Shared>, _: &str, _: Registry, _: Token) -> Publication {
        Publication
    }

    pub(crate) fn start(&mut self, _: &[Interface], _: Time) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn stop(&mut self) {}

    pub(crate) fn update(&mut self, _: Time) {}

    pub(crate) fn handle_interfaces(&mut self, _: &[Interface], _: Time) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn handle_readable(&mut self, _: Time) -> bool {
        false
    }

    pub(crate) fn handle_timeout(&mut self, _: Time) {}

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        None
    }
}
