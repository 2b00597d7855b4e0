//! The attacks, in the order of the table.

mod cross_site;
mod handshakes;
mod idle_connections;
mod token_guesses;

mod frames;
mod mutated_frames;
mod slow_readers;

mod shares;
mod tls;

mod connect_flood;
mod dead_links;
mod descriptor_limit;

mod datagrams;
mod log_injection;

mod application_failure;

pub(crate) use dead_links::cut as dead_links;

use crate::scenario::Scenario;

/// Every attack.
pub(crate) const ALL: [Scenario; 27] = [
    cross_site::ORIGINS,
    cross_site::HOSTS,
    token_guesses::GUESSES,
    idle_connections::IDLE,
    handshakes::SLOWLORIS,
    handshakes::OVERSIZED_HEADS,
    handshakes::REFUSED,
    frames::OVERSIZED,
    frames::FRAGMENTS,
    frames::PINGS,
    frames::PARTIAL_MESSAGES,
    mutated_frames::MUTATED,
    slow_readers::STALLED,
    slow_readers::STATUS_REQUESTS,
    shares::FLOOD,
    shares::BOMBS,
    tls::RECORDS,
    tls::HELLOS,
    tls::UNFINISHED,
    dead_links::DEAD_LINKS,
    descriptor_limit::DESCRIPTORS,
    connect_flood::CONNECTS,
    datagrams::RANDOM,
    datagrams::FORGED,
    log_injection::LOG,
    application_failure::PANIC,
    application_failure::STALL,
];
