//! The attacks, in the order of the table: what is done, what is promised, what was measured.

mod browsers;
mod guesses;
mod handshakes;
mod idle;

mod frames;
mod random_frames;
mod slow_reader;

mod connects;
mod descriptors;
mod links;

mod datagrams;
mod log;

mod application;

pub(crate) use links::cut;

pub(crate) use crate::context::{Finding, Ground, Row, Run, Stage};

/// All rows of the table.
pub(crate) const ALL: [Row; 22] = [
    browsers::ORIGINS,
    browsers::HOSTS,
    guesses::GUESSES,
    idle::IDLE,
    handshakes::SLOWLORIS,
    handshakes::HEADS,
    handshakes::GUESTS,
    frames::LENGTH,
    frames::MAX_FRAGMENTS,
    frames::PINGS,
    frames::MESSAGES_UNDER_WAY,
    random_frames::MUTATED,
    slow_reader::STALLED,
    slow_reader::PAGES,
    links::LINKS,
    descriptors::DESCRIPTORS,
    connects::CONNECTS,
    datagrams::DATAGRAMS,
    datagrams::FORGED,
    log::LOG,
    application::FAILURE,
    application::STALL,
];
