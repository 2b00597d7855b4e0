//! Packets from a network that is not trusted.

use halloo_proto::mdns::{Data, MAX_PACKET_BYTES, Name, Packet, Question, Record, RecordType};
use proptest::prelude::*;

use super::network::{Lab, TYPE, instance, millis, name, query, service};

fn names() -> impl Strategy<Value = Name> {
    let label = prop_oneof![Just("den".to_owned()), Just("_halloo".to_owned()), "[a-zA-Z0-9 .ä]{1,20}"];
    prop_oneof![
        Just(instance("den")),
        Just(name(TYPE)),
        Just(name("den.local")),
        prop::collection::vec(label, 1..6)
            .prop_map(|labels| Name::from_labels(labels.iter().map(|label| label.as_bytes())).unwrap()),
    ]
}

fn records() -> impl Strategy<Value = Record> {
    let text = prop::collection::vec("[a-z]{1,9}=[ -~]{0,40}", 1..4).prop_map(|strings| {
        let string = |text: String| std::iter::once(text.len() as u8).chain(text.into_bytes()).collect::<Vec<u8>>();
        Data::Txt(strings.into_iter().flat_map(string).collect())
    });
    let data = prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Data::A(ip.into())),
        any::<[u8; 16]>().prop_map(|ip| Data::Aaaa(ip.into())),
        names().prop_map(Data::Ptr),
        (any::<[u16; 3]>(), names())
            .prop_map(|([priority, weight, port], target)| { Data::Srv { priority, weight, port, target } }),
        text,
    ];
    (names(), data, 0..10_000_u32, any::<bool>()).prop_map(|(name, data, ttl, cache_flush)| Record {
        name,
        data,
        ttl,
        cache_flush,
    })
}

fn questions() -> impl Strategy<Value = Question> {
    let types = prop::sample::select(vec![1, 12, 16, 28, 33, 255]).prop_map(RecordType);
    (names(), types, any::<bool>()).prop_map(|(name, record_type, unicast_response)| Question {
        name,
        record_type,
        unicast_response,
    })
}

pub(crate) fn packets() -> impl Strategy<Value = Packet> {
    let section = || prop::collection::vec(records(), 0..6);
    let header = (any::<u16>(), any::<bool>(), any::<bool>());
    (header, prop::collection::vec(questions(), 0..4), section(), section(), section()).prop_map(
        |((id, is_response, is_truncated), questions, answers, authorities, additionals)| Packet {
            id,
            is_response,
            is_truncated,
            questions,
            answers,
            authorities,
            additionals,
        },
    )
}

proptest! {
    #[test]
    fn encoded_packet_is_parsed_to_the_same(packet in packets()) {
        let bytes = packet.encode().unwrap();
        prop_assert_eq!(Packet::parse(&bytes), Some(packet));
    }

    #[test]
    fn damaged_packet_is_refused_or_parsed(packet in packets(), changes in prop::collection::vec(any::<(u16, u8)>(), 1..20)) {
        let mut bytes = packet.encode().unwrap();
        for (at, byte) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        if let Some(packet) = Packet::parse(&bytes) {
            prop_assert!(packet.records().count() <= 256);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_packets_neither_break_a_responder_nor_make_it_send_many(
        packets in prop::collection::vec((packets(), any::<bool>(), 0..300_u64), 1..60),
    ) {
        let mut lab = Lab::new();
        lab.add(&service("den", 8765), &[1]);
        lab.run(millis(500));
        let start = lab.now;
        for (packet, is_legacy, wait) in packets {
            lab.inject(0, 3, if is_legacy { "10.1.0.9:1234" } else { "10.1.0.9:5353" }, &packet);
            lab.run(millis(wait));
        }
        let seconds = 1 + (lab.now - start).as_secs() as usize;
        prop_assert!(lab.sent.len() <= 85 * (seconds + 1), "{} packets in {seconds} s", lab.sent.len());
        // Once it is left in peace, it has a name and responds.
        lab.run(millis(30_000));
        let published = lab.published(0);
        let label = published.split('/').next().unwrap().to_owned();
        lab.sent.clear();
        lab.inject(0, 3, "10.1.0.9:5353", &query(instance(&label), RecordType::SRV));
        lab.run(millis(1000));
        prop_assert!(lab.sent.iter().any(|sent| sent.answers(&instance(&label), RecordType::SRV)), "{published}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_packets_neither_fill_a_search_nor_keep_it_from_finding_a_server(
        packets in prop::collection::vec((packets(), any::<[u8; 2]>(), 0..300_u64), 1..60),
    ) {
        let mut lab = Lab::new();
        let search = lab.add_search(&[1]);
        let start = lab.now;
        for (packet, from, wait) in packets {
            lab.inject(search, 3, &format!("10.1.{}.{}:5353", from[0], from[1]), &packet);
            lab.run(millis(wait));
        }
        let (records, bytes) = lab.querier(search).stored();
        prop_assert!(records <= 1024 && bytes <= 1 << 20);
        let seconds = 1 + (lab.now - start).as_secs() as usize;
        prop_assert!(lab.sent.len() <= 20 * (seconds + 1), "{} packets in {seconds} s", lab.sent.len());
        lab.add(&service("living room", 8765), &[1]);
        lab.run(millis(5000));
        prop_assert!(lab.changes(search).contains(&"+living room".to_owned()));
    }
}

#[test]
fn counts_without_records_are_refused_before_memory_is_allocated() {
    let mut bytes = [0; 12];
    for section in [4, 6, 8, 10] {
        bytes[section..section + 2].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(Packet::parse(&bytes), None);
    }
    assert_eq!(Packet::parse(&[0; 12]), Some(Packet::default()));
    assert_eq!(Packet::parse(&[0; 11]), None);
    assert_eq!(Packet::parse(&vec![0; MAX_PACKET_BYTES + 1]), None);
}

#[test]
fn packet_with_more_than_256_questions_and_records_is_refused() {
    let mut packet = query(name("den.local"), RecordType::A);
    packet.questions = vec![packet.questions[0].clone(); 256];
    assert!(Packet::parse(&packet.encode().unwrap()).is_some());
    packet.questions.push(packet.questions[0].clone());
    assert_eq!(Packet::parse(&packet.encode().unwrap()), None);
}

#[test]
fn compression_pointers_that_loop_are_refused() {
    for pointer in [12_u8, 13, 14, 0xff] {
        let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0xc0, pointer, 0, 1, 0, 1];
        assert_eq!(Packet::parse(&bytes), None, "{pointer}");
        bytes[14..16].copy_from_slice(&[0, 0]);
        let _ = Packet::parse(&bytes);
    }
}

#[test]
fn record_without_content_is_left_out() {
    let data = Data::A([10, 1, 0, 9].into());
    let answer = Record { name: name("den.local"), data, ttl: 120, cache_flush: true };
    let packet = Packet { is_response: true, answers: vec![answer], ..Packet::default() };
    let mut bytes = packet.encode().unwrap();
    bytes.truncate(bytes.len() - 4);
    *bytes.last_mut().unwrap() = 0;
    assert_eq!(Packet::parse(&bytes).map(|packet| packet.answers.len()), Some(0));
}

#[test]
fn reserved_bit_is_ignored_and_other_kinds_of_messages_are() {
    let bytes = query(name("den.local"), RecordType::A).encode().unwrap();
    let with_flags = |first: u8, second: u8| {
        let mut bytes = bytes.clone();
        bytes[2..4].copy_from_slice(&[first, second]);
        Packet::parse(&bytes).is_some()
    };
    assert!(with_flags(0, 0) && with_flags(0, 0x40));
    assert!(!with_flags(0x28, 0), "an update");
    assert!(!with_flags(0x80, 3), "an error");
}
