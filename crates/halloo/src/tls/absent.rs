//! What stands in for TLS in a build without the feature `tls`: types that there is no value of.

use std::io::{self, IoSlice};

use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::url::Host;
use mio::net::TcpStream;

#[derive(Debug)]
pub(crate) enum Session {}

impl Session {
    pub(crate) fn read(&mut self, _: &mut TcpStream, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn has_ended(&self) -> bool {
        match *self {}
    }

    pub(crate) fn write(&mut self, _: &mut TcpStream, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn ask(self, _: std::net::TcpStream, _: &[u8], _: u64) -> io::Result<Vec<u8>> {
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
    pub(crate) fn of(_: &crate::Config) -> Option<Acceptor> {
        None
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        match *self {}
    }

    pub(crate) fn accept(&self, _: &[u8]) -> io::Result<Box<Session>> {
        match *self {}
    }
}

/// Whom a client trusts: nobody.
#[derive(Debug, Default)]
pub(crate) struct Connector;

impl Connector {
    pub(crate) fn new(_: Option<Fingerprint>) -> Connector {
        Connector
    }

    pub(crate) fn connect(&mut self, _: &Host) -> Result<Box<Session>, String> {
        Err("it speaks TLS, which this program was built without; build it with the feature `tls`".into())
    }
}
