//! The attacks, in the order of the table.

mod cross_site;
mod handshakes;
mod idle_connections;
mod token_guesses;

mod downloads;
mod frames;
mod mutated_frames;
mod slow_readers;

pub(crate) mod shares;
pub(crate) mod tls;

mod connect_flood;
mod dead_links;
mod descriptor_limit;

mod datagrams;
mod forged_discovery;
mod log_injection;
mod multicast_dns;
mod small_probes;

mod application_failure;
mod stalled_application;

pub(crate) use dead_links::cut as dead_links;
pub(crate) use descriptor_limit::change_addresses;
pub(crate) use forged_discovery::{forge_goodbyes, make_up_servers};
pub(crate) use multicast_dns::flood as multicast_dns_flood;
pub(crate) use small_probes::flood as small_probes;

use crate::scenario::Scenario;

/// Every attack.
pub(crate) const ALL: [Scenario; 36] = [
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
    downloads::DOWNLOADS,
    shares::FLOOD,
    shares::BOMBS,
    tls::RECORDS,
    tls::HELLOS,
    tls::UNFINISHED,
    tls::MESSAGES,
    dead_links::DEAD_LINKS,
    descriptor_limit::DESCRIPTORS,
    descriptor_limit::ADDRESSES,
    connect_flood::CONNECTS,
    datagrams::RANDOM,
    datagrams::FORGED,
    multicast_dns::FLOOD,
    small_probes::PROBES,
    forged_discovery::GOODBYES,
    forged_discovery::MADE_UP,
    log_injection::LOG,
    application_failure::PANIC,
    application_failure::STALL,
    stalled_application::CLIENTS,
    stalled_application::QUEUE,
];
