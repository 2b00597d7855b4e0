//! Packets of multicast DNS: whatever arrives, memory and the number of packets that are sent are bounded, and all of these
//! are valid.

#![cfg_attr(feature = "engine", no_main)]

use std::net::SocketAddr;
use std::time::Duration;

use halloo_fuzz::fuzz_target;
use halloo_proto::Time;
use halloo_proto::mdns::{Link, MAX_ADDRESSES, Name, Packet, Querier, Responder, Service, ServiceChange, Transmit};

fuzz_target!(|bytes: &[u8]| {
    let mut now = Time::ZERO;
    let (mut responder, mut querier) = start(now);
    let mut sent = 0;
    let mut rest = bytes;
    // Three bytes give the source with the time, and the length of the packet that follows.
    while let [first, high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (packet, tail) = tail.split_at(length);
        rest = tail;
        now = now + Duration::from_millis(u64::from(first & 0x70) * 40);
        let port = if first & 0x80 == 0 { 5353 } else { 40_000 };
        let from = SocketAddr::from(([10, 0, 0, first & 0x07], port));
        let interface = 2 + u32::from(first & 0x08 != 0);
        handle_timeouts(&mut responder, &mut querier, now);
        responder.handle_packet(packet, from, interface, now);
        querier.handle_packet(packet, from, interface, now);
        let transmits = std::iter::from_fn(|| responder.poll_transmit().or_else(|| querier.poll_transmit()));
        for Transmit { bytes, .. } in transmits {
            assert!(Packet::parse(&bytes).is_some(), "a packet that is not valid");
            sent += 1;
        }
        while let Some(change) = querier.poll_change() {
            if let ServiceChange::Found(service) | ServiceChange::Updated(service) = change {
                assert!((1..=MAX_ADDRESSES).contains(&service.addresses.len()));
            }
        }
        let (records, bytes) = querier.stored();
        assert!(records <= 1024 && bytes <= 1 << 20);
        if let Some(packet) = Packet::parse(packet) {
            check_encoding(&packet);
        }
    }
    // On two interfaces, with a burst of a second.
    let seconds = (now - Time::ZERO).as_secs() as usize + 2;
    assert!(sent <= 2 * (20 + 50 + 40) * seconds, "{sent} packets in {seconds} s");
    handle_timeouts(&mut responder, &mut querier, now);
});

/// Does what is due. What is due after it is later: a caller that waits until then does not spin.
fn handle_timeouts(responder: &mut Responder, querier: &mut Querier, now: Time) {
    responder.handle_timeout(now);
    querier.handle_timeout(now);
    assert!(responder.poll_timeout() > now, "the responder is due again at once");
    assert!(querier.poll_timeout() > now, "the querier is due again at once");
}

/// Returns a server that is published, and a search for others.
fn start(now: Time) -> (Responder, Querier) {
    let service = Service {
        service_type: "_halloo._tcp.local".into(),
        instance: "den".into(),
        host: "den".into(),
        port: 8765,
        properties: vec![("v".into(), "2".into())],
    };
    let mut responder = Responder::new(&service, 1).expect("a valid service");
    let mut querier = Querier::new(1);
    let link = |index: u32| Link { name: String::new(), index, addresses: vec![[10, 0, index as u8, 1].into()] };
    responder.handle_links(&[link(2), link(3)], now);
    querier.handle_links(&[link(2), link(3)], now);
    querier.search(Name::parse("_halloo._tcp.local").expect("a valid name"), now);
    querier.look_up(Name::parse("other.local").expect("a valid name"), now);
    (responder, querier)
}

/// What was parsed is the same after it was written and parsed again, but for types whose content is not kept.
fn check_encoding(packet: &Packet) {
    let kept = |packet: &Packet| -> Vec<_> {
        let is_kept = |record: &&halloo_proto::mdns::Record| matches!(record.data.record_type().0, 1 | 12 | 28 | 33);
        packet.records().filter(is_kept).cloned().collect()
    };
    let Some(bytes) = packet.encode() else { return };
    let again = Packet::parse(&bytes).expect("a valid packet");
    assert_eq!((&again.questions, kept(&again)), (&packet.questions, kept(packet)));
}
