//! The bus of builds without the `cluster` feature, on which nothing is sent.

use halloo_proto::frame::Opcode;

use super::BusTarget;

#[derive(Debug)]
pub(in crate::reactor) struct Bus;

impl Bus {
    pub(in crate::reactor) fn new() -> Bus {
        Bus
    }

    #[inline(always)]
    pub(in crate::reactor) fn is_linked(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(in crate::reactor) fn push(&mut self, _: BusTarget<'_>, _: Opcode, _: &[u8]) {}

    #[inline(always)]
    pub(in crate::reactor) fn push_encoded(&mut self, _: BusTarget<'_>, _: &[u8]) {}

    #[inline(always)]
    pub(in crate::reactor) fn disconnect(&mut self, _: crate::ClientId, _: halloo_proto::close::CloseCode, _: &str) {}
}
