//! Responses to queries.

use halloo_proto::mdns::{Data, Destination, Packet, Question, Record, RecordType};

use super::network::{Lab, Sent, TYPE, addresses, instance, millis, name, query, service};

/// A machine that has been published for a minute.
fn published() -> Lab {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(60_000));
    lab.sent.clear();
    lab
}

fn ask(lab: &mut Lab, query: &Packet) -> Vec<u64> {
    lab.sent.clear();
    let start = lab.now.as_micros() / 1000;
    lab.inject(0, 3, "10.1.0.9:5353", query);
    lab.run(millis(900));
    lab.times(|_| true).into_iter().map(|at| at - start).collect()
}

fn types(sent: &Sent) -> [Vec<u16>; 2] {
    [&sent.packet.answers, &sent.packet.additionals]
        .map(|section| section.iter().map(|record| record.data.record_type().0).collect())
}

#[test]
fn search_is_answered_after_a_short_delay_with_all_that_is_needed_to_connect() {
    let mut lab = published();
    let mut delays = Vec::new();
    for _ in 0..50 {
        delays.extend(ask(&mut lab, &query(name("_HALLOO._tcp.local"), RecordType::PTR)));
        assert_eq!(types(&lab.sent[0]), [vec![12], vec![33, 16, 1]]);
        assert_eq!(lab.sent[0].to, Destination::Multicast);
        lab.run(millis(60_000));
    }
    assert_eq!(delays.len(), 50);
    assert!(delays.iter().all(|delay| (20..=120).contains(delay)), "{delays:?}");
    assert!(delays.iter().max() > delays.iter().min(), "the delay is random");
}

#[test]
fn own_names_are_answered_at_once_and_foreign_ones_not_at_all() {
    let mut lab = published();
    for (asked, record_type, expected) in [
        (instance("DEN"), RecordType::SRV, [vec![33], vec![1]]),
        (instance("den"), RecordType::TXT, [vec![16], vec![]]),
        (instance("den"), RecordType::ANY, [vec![33, 16], vec![1]]),
        (name("den.local"), RecordType::A, [vec![1], vec![]]),
        (name("den.local"), RecordType::ANY, [vec![1], vec![]]),
        (name("_services._dns-sd._udp.local"), RecordType::PTR, [vec![12], vec![]]),
    ] {
        let at = ask(&mut lab, &query(asked, record_type));
        assert_eq!((at.len(), types(&lab.sent[0])), (1, expected));
        lab.run(millis(2000));
    }
    for asked in [instance("other"), name("other.local"), name("_http._tcp.local"), name("local")] {
        assert!(ask(&mut lab, &query(asked, RecordType::ANY)).is_empty());
    }
}

#[test]
fn types_that_do_not_exist_are_denied() {
    let mut lab = published();
    ask(&mut lab, &query(name("den.local"), RecordType::AAAA));
    assert_eq!(types(&lab.sent[0]), [vec![47], vec![]], "the host has no IPv6 address");
    ask(&mut lab, &query(instance("den"), RecordType::A));
    assert_eq!(types(&lab.sent[0]), [vec![47], vec![]]);
}

#[test]
fn record_is_multicast_once_a_second_however_often_it_is_asked_for() {
    let mut lab = published();
    let from = lab.now;
    for _ in 0..1000 {
        lab.inject(0, 3, "10.1.0.9:5353", &query(instance("den"), RecordType::ANY));
        lab.inject(0, 3, "10.1.0.8:5353", &query(name(TYPE), RecordType::PTR));
        lab.run(millis(10));
    }
    let sent = lab.times(|sent| sent.answers(&instance("den"), RecordType::SRV));
    assert!((10..=11).contains(&sent.len()), "{sent:?}");
    assert!(sent.windows(2).all(|pair| pair[1] - pair[0] >= 1000), "{sent:?}");
    assert!(lab.sent.len() <= 25, "{} packets in {:?}", lab.sent.len(), lab.now - from);
}

#[test]
fn question_soon_after_a_response_is_answered_when_a_second_has_passed() {
    let mut lab = published();
    assert_eq!(ask(&mut lab, &query(name("den.local"), RecordType::A)), [0]);
    lab.sent.clear();
    lab.inject(0, 3, "10.1.0.7:5353", &query(name("den.local"), RecordType::A));
    lab.run(millis(99));
    assert!(lab.sent.is_empty());
    lab.run(millis(1));
    assert_eq!(addresses(&lab.sent[0].packet).len(), 1);
}

#[test]
fn known_answers_are_not_repeated_unless_they_expire_soon() {
    let mut lab = published();
    let mut search = query(name(TYPE), RecordType::PTR);
    let known = |ttl| Record { name: name(TYPE), data: Data::Ptr(instance("den")), ttl, cache_flush: false };
    search.answers = vec![known(2250)];
    assert!(ask(&mut lab, &search).is_empty());
    search.answers = vec![known(2249)];
    assert_eq!(ask(&mut lab, &search).len(), 1);
}

#[test]
fn known_answers_of_the_next_packet_count() {
    let mut lab = published();
    let mut first = query(name(TYPE), RecordType::PTR);
    first.is_truncated = true;
    let known = Record { name: name(TYPE), data: Data::Ptr(instance("den")), ttl: 4500, cache_flush: false };
    let second = Packet { answers: vec![known], ..Packet::default() };
    let at = ask(&mut lab, &first);
    assert!(at.len() == 1 && (400..=500).contains(&at[0]), "{at:?}");
    lab.run(millis(2000));
    lab.sent.clear();
    lab.inject(0, 3, "10.1.0.9:5353", &first);
    lab.run(millis(50));
    lab.inject(0, 3, "10.1.0.8:5353", &second);
    lab.inject(0, 3, "10.1.0.9:5353", &second);
    lab.run(millis(2000));
    assert!(lab.sent.is_empty());
    lab.inject(0, 3, "10.1.0.9:5353", &first);
    lab.inject(0, 3, "10.1.0.8:5353", &query(name(TYPE), RecordType::PTR));
    lab.inject(0, 3, "10.1.0.9:5353", &second);
    lab.run(millis(2000));
    assert_eq!(lab.sent.len(), 1, "the other machine does not know it");
}

#[test]
fn legacy_query_is_answered_by_unicast_with_its_id_and_question() {
    let mut lab = published();
    let mut legacy = query(name("den.local"), RecordType::A);
    legacy.id = 4711;
    lab.inject(0, 3, "10.1.0.9:40000", &legacy);
    let sent = &lab.sent[0];
    assert_eq!(sent.to, Destination::Unicast("10.1.0.9:40000".parse().unwrap()));
    assert_eq!((sent.packet.id, &sent.packet.questions), (4711, &legacy.questions));
    assert!(sent.packet.answers.iter().all(|record| record.ttl <= 10 && !record.cache_flush));
    assert_eq!(addresses(&sent.packet).len(), 1);
}

#[test]
fn unicast_response_is_sent_if_wanted_unless_others_need_the_record_too() {
    let mut lab = published();
    let wanted = |record_type| Packet {
        questions: vec![Question { name: name("den.local"), record_type, unicast_response: true }],
        ..Packet::default()
    };
    ask(&mut lab, &wanted(RecordType::A));
    assert_eq!(lab.sent[0].to, Destination::Multicast, "it was not multicast for a minute");
    lab.run(millis(5000));
    ask(&mut lab, &wanted(RecordType::A));
    assert_eq!(lab.sent[0].to, Destination::Unicast("10.1.0.9:5353".parse().unwrap()));
    assert!(lab.sent[0].packet.questions.is_empty() && lab.sent[0].packet.answers[0].cache_flush);
}

#[test]
fn flood_of_unicast_questions_is_answered_50_times_a_second() {
    let mut lab = published();
    for _ in 0..10_000 {
        lab.inject(0, 3, "10.1.0.9:40000", &query(name("den.local"), RecordType::A));
        lab.run(millis(1));
    }
    assert!((500..=551).contains(&lab.sent.len()), "{}", lab.sent.len());
}

#[test]
fn response_from_another_port_is_ignored() {
    let mut lab = published();
    let data = Data::A([9, 9, 9, 9].into());
    let forged = Record { name: name("den.local"), data, ttl: 120, cache_flush: true };
    let forged = Packet { is_response: true, answers: vec![forged], ..Packet::default() };
    lab.inject(0, 3, "10.1.0.9:40000", &forged);
    lab.run(millis(5000));
    assert!(lab.sent.is_empty());
    lab.inject(0, 3, "10.1.0.9:5353", &forged);
    lab.run(millis(5000));
    assert!(lab.sent[0].is_probe(), "it claims the name");
}
