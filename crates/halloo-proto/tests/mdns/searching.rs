//! Searching for services, and looking up hosts.

use halloo_proto::mdns::{Data, Name, Packet, Record, RecordType};

use super::network::{Lab, TYPE, address, instance, millis, name, service};

fn response(records: Vec<Record>) -> Packet {
    Packet { is_response: true, answers: records, ..Packet::default() }
}

fn record(name: Name, data: Data, ttl: u32) -> Record {
    Record { name, data, ttl, cache_flush: false }
}

/// The records of a service on its host.
fn records(label: &str, port: u16, ip: [u8; 4]) -> Vec<Record> {
    let host = name(&format!("{label}.local"));
    vec![
        record(name(TYPE), Data::Ptr(instance(label)), 4500),
        record(instance(label), Data::Srv { priority: 0, weight: 0, port, target: host.clone() }, 120),
        record(instance(label), Data::Txt(b"\x03v=2"[..].into()), 4500),
        record(host, Data::A(ip.into()), 120),
    ]
}

#[test]
fn service_is_found_wherever_either_starts_first_and_lost_on_its_goodbye() {
    let mut lab = Lab::new();
    let early = lab.add_search(&[1]);
    lab.run(millis(3000));
    let server = lab.add(&service("den", 8765), &[1]);
    lab.run(millis(2000));
    assert_eq!(lab.changes(early), ["+den"]);
    lab.run(millis(10_000));
    let late = lab.add_search(&[1]);
    lab.run(millis(300));
    assert_eq!(lab.changes(late), ["+den"]);
    let found = lab.querier(late).services().next().unwrap();
    assert_eq!(found.addresses, [std::net::SocketAddr::new(address(1, server), 8765)]);
    assert_eq!((found.host.to_string(), found.txt.starts_with(b"\x03v=2")), ("den.local".into(), true));
    lab.stop(server);
    lab.run(millis(1100));
    assert_eq!([lab.changes(early), lab.changes(late)], [["-den"], ["-den"]]);
}

#[test]
fn service_that_disappears_without_a_goodbye_is_asked_for_and_lost() {
    let mut lab = Lab::new();
    let search = lab.add_search(&[1]);
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(600_000));
    assert_eq!(lab.changes(search), ["+den"], "it is kept while it responds");
    lab.sent.clear();
    lab.machines[1].links.clear();
    lab.update_links(1);
    lab.run(millis(121_000));
    assert_eq!(lab.changes(search), ["-den"]);
    let asked = |sent: &super::network::Sent| {
        sent.packet.questions.iter().any(|question| question.record_type == RecordType::SRV)
    };
    assert!(lab.times(asked).len() >= 4, "before each end");
}

#[test]
fn questions_become_rarer_up_to_one_an_hour_and_contain_known_answers() {
    let mut lab = Lab::new();
    lab.add_search(&[1]);
    lab.run(millis(12 * 3_600_000));
    let times = lab.times(|_| true);
    let gaps: Vec<u64> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 1000).collect();
    assert!((20..=120).contains(&times[0]), "{times:?}");
    assert_eq!(gaps[..13], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600]);
    assert!(gaps[13..].iter().all(|gap| *gap == 3600));

    let mut lab = Lab::new();
    lab.add_search(&[1]);
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(100_000));
    let last = lab.sent.iter().rfind(|sent| sent.packet.questions.iter().any(|question| question.name == name(TYPE)));
    let known = &last.unwrap().packet.answers;
    assert!(known.len() == 1 && known[0].ttl > 4400, "{known:?}");
    let answers = lab.times(|sent| sent.machine == 1 && sent.answers(&name(TYPE), RecordType::PTR));
    assert!(answers.len() <= 3, "a known service is not repeated: {answers:?}");
}

#[test]
fn many_known_answers_are_split_into_packets_of_which_all_but_the_last_say_so() {
    let mut lab = Lab::new();
    let search = lab.add_search(&[1]);
    for number in 0..200_u8 {
        let label = format!("server number {number} of this network");
        let host = format!("10.1.0.{number}:5353");
        lab.inject(search, 3, &host, &response(records(&label, 8765, [10, 1, 0, number])));
    }
    lab.run(millis(500));
    let known: Vec<_> = lab.sent.iter().filter(|sent| !sent.packet.answers.is_empty()).collect();
    assert_eq!(known.iter().map(|sent| sent.packet.answers.len()).sum::<usize>(), 200);
    let truncated: Vec<bool> = known.iter().map(|sent| sent.packet.is_truncated).collect();
    assert!(
        truncated.len() > 5 && !truncated.last().unwrap() && truncated[..truncated.len() - 1].iter().all(|one| *one)
    );
    assert!(known.iter().all(|sent| sent.packet.encode().unwrap().len() < 1472), "each fits into one datagram");
}

#[test]
fn records_that_are_missing_are_asked_for() {
    let mut lab = Lab::new();
    let search = lab.add_search(&[1]);
    let all = records("den", 8765, [10, 1, 0, 9]);
    lab.run(millis(500));
    lab.sent.clear();
    let asked = |lab: &Lab| -> Vec<u16> {
        let questions = lab.sent.iter().flat_map(|sent| &sent.packet.questions);
        questions.filter(|asked| asked.name != name(TYPE)).map(|asked| asked.record_type.0).collect()
    };
    lab.inject(search, 3, "10.1.0.9:5353", &response(vec![all[0].clone()]));
    lab.run(millis(100));
    assert_eq!(asked(&lab), [16, 33]);
    lab.sent.clear();
    lab.inject(search, 3, "10.1.0.9:5353", &response(all[1..3].to_vec()));
    lab.run(millis(100));
    assert_eq!(asked(&lab), [1, 28]);
    assert!(lab.changes(search).is_empty());
    lab.sent.clear();
    lab.inject(search, 3, "10.1.0.9:5353", &response(all[3..].to_vec()));
    lab.run(millis(60_000));
    assert_eq!((lab.changes(search), asked(&lab).is_empty()), (vec!["+den".into()], true));
}

#[test]
fn host_of_a_service_that_was_withdrawn_is_no_longer_asked_for() {
    let mut lab = Lab::new();
    let search = lab.add_search(&[1]);
    let mut records = records("den", 8765, [10, 1, 0, 9]);
    records.truncate(3);
    lab.inject(search, 3, "10.1.0.9:5353", &response(records.clone()));
    lab.run(millis(4000));
    let asked = |lab: &Lab| lab.times(|sent| sent.packet.questions.iter().any(|asked| asked.name == name("den.local")));
    assert!(asked(&lab).len() >= 3);
    records.iter_mut().for_each(|record| record.ttl = 0);
    lab.inject(search, 3, "10.1.0.9:5353", &response(records));
    lab.run(millis(1500));
    lab.sent.clear();
    lab.run(millis(3_600_000));
    assert!(asked(&lab).is_empty());
}

#[test]
fn order_of_records_in_a_response_does_not_matter() {
    let mut lab = Lab::new();
    let search = lab.add_search(&[1]);
    let mut all = records("den", 8765, [10, 1, 0, 9]);
    all.reverse();
    lab.inject(search, 3, "10.1.0.9:5353", &response(all));
    assert_eq!(lab.changes(search), ["+den"]);
}

#[test]
fn moved_service_is_updated_and_its_old_address_forgotten() {
    let mut lab = Lab::new();
    let search = lab.add_search(&[1]);
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(5000));
    lab.machines[1].links[0].addresses = vec!["10.1.0.77".parse().unwrap()];
    lab.update_links(1);
    lab.run(millis(3000));
    assert_eq!(lab.changes(search).last().unwrap(), "~den");
    let found = lab.querier(search).services().next().unwrap();
    assert_eq!(found.addresses, ["10.1.0.77:8765".parse().unwrap()]);
}

#[test]
fn service_on_an_interface_that_is_gone_is_lost_and_found_again_when_it_returns() {
    let mut lab = Lab::new();
    let search = lab.add_search(&[1]);
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(60_000));
    let links = std::mem::take(&mut lab.machines[search].links);
    lab.update_links(search);
    assert_eq!(lab.changes(search), ["+den", "-den"]);
    lab.run(millis(60_000));
    lab.machines[search].links = links;
    lab.update_links(search);
    lab.run(millis(1500));
    assert_eq!(lab.changes(search), ["+den"]);
}

#[test]
fn host_is_looked_up_at_once() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(10_000));
    let search = lab.add_search(&[1]);
    let now = lab.now;
    lab.querier(search).look_up(name("DEN.local"), now);
    lab.run(millis(10));
    assert_eq!(lab.changes(search), ["den.local [10.1.0.0:0]"]);
}

#[test]
fn packets_may_be_lost_and_repeated() {
    let mut lab = Lab::new();
    (lab.loss, lab.duplication) = (30, 30);
    let search = lab.add_search(&[1]);
    for number in 0..20 {
        lab.add(&service(&format!("den {number}"), 8765), &[1]);
    }
    lab.run(millis(120_000));
    assert_eq!(lab.querier(search).services().count(), 20);
}

#[test]
fn foreign_records_and_those_of_other_services_are_not_stored() {
    let mut lab = Lab::new();
    let search = lab.add_search(&[1]);
    let printer = name("_ipp._tcp.local");
    let foreign = vec![
        record(printer.clone(), Data::Ptr(printer.child(b"printer").unwrap()), 4500),
        record(name("printer.local"), Data::A([10, 1, 0, 8].into()), 120),
        record(name(TYPE), Data::Ptr(printer.child(b"printer").unwrap()), 4500),
        record(instance("unannounced"), Data::Txt(b"\x01x"[..].into()), 4500),
    ];
    lab.inject(search, 3, "10.1.0.8:5353", &response(foreign));
    assert_eq!(lab.querier(search).stored(), (0, 0));
    let mut own = response(records("den", 8765, [10, 1, 0, 9]));
    own.is_response = false;
    lab.inject(search, 3, "10.1.0.9:5353", &own);
    own.is_response = true;
    lab.inject(search, 3, "10.1.0.9:40000", &own);
    lab.inject(search, 9, "10.1.0.9:5353", &own);
    assert_eq!(lab.querier(search).stored(), (0, 0), "a query, another port, an unknown interface");
}

#[test]
fn flood_of_services_is_bounded_and_displaces_no_honest_server() {
    let mut lab = Lab::new();
    let search = lab.add_search(&[1]);
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(10_000));
    lab.sent.clear();
    for number in 0..5_000_u32 {
        let label = format!("forged {number}");
        lab.inject(search, 3, "10.1.0.66:5353", &response(records(&label, 1, [10, 1, 0, 66])));
        lab.run(millis(1));
        assert!(lab.querier(search).stored().0 <= 300);
    }
    assert!(lab.querier(search).services().any(|found| found.instance == "den"));
    assert!(lab.sent.len() < 20 * 6 + 100, "{} packets", lab.sent.len());
    let first_packets = lab.changes(search).iter().filter(|change| change.starts_with('+')).count();
    assert!(first_packets <= 1024);
    // What was asked for the forged services is forgotten with them.
    lab.run(millis(2 * 4_500_000));
    lab.sent.clear();
    lab.run(millis(3_600_000));
    assert!(
        lab.sent.iter().all(|sent| sent
            .packet
            .questions
            .iter()
            .all(|asked| !asked.name.to_string().contains("forged")))
    );
}
