//! Stubs for builds without the `tls` feature. `Session` and `Acceptor` have no values, so their methods are never
//! called.

use std::io::{self, IoSlice};

use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::read_budget::ReadBudget;
use halloo_proto::setting_names::SettingNames;
use halloo_proto::url::Host;
use mio::net::TcpStream;

#[derive(Debug)]
pub(crate) enum Session {}

impl Session {
    pub(crate) fn read(&mut self, _: &mut TcpStream, _: &mut [u8], _: &mut ReadBudget) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match *self {}
    }

    pub(crate) fn handshake_bytes(&self) -> usize {
        match *self {}
    }

    pub(crate) fn received_close_notify(&self) -> bool {
        match *self {}
    }

    pub(crate) fn write(&mut self, _: &mut TcpStream, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn request(self, _: impl io::Read + io::Write, _: &[u8], _: u64) -> io::Result<Vec<u8>> {
        match self {}
    }

    pub(crate) fn handle_writable(&mut self, _: &mut TcpStream) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn shutdown(&mut self, _: &mut TcpStream) -> io::Result<()> {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Acceptor {}

impl Acceptor {
    pub(crate) fn from_config(_: &crate::Config) -> Option<Acceptor> {
        None
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        match *self {}
    }

    pub(crate) fn set_local_names(&self, _: &[String]) {
        match *self {}
    }

    pub(crate) fn accept(&self, _: &[u8]) -> io::Result<Box<Session>> {
        match *self {}
    }
}

/// Refuses every TLS connection.
#[derive(Debug, Default)]
pub(crate) struct Connector;

impl Connector {
    pub(crate) fn new(_: Option<Fingerprint>, _: SettingNames) -> Connector {
        Connector
    }

    pub(crate) fn is_pinned(&self) -> bool {
        false
    }

    pub(crate) fn connect(&mut self, _: &Host) -> Result<Box<Session>, String> {
        Err("TLS is not available: this program was built without it; build it with the feature `tls`".into())
    }
}
