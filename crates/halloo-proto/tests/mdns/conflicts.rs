//! Names that are in use already, and own records that come back.

use halloo_proto::mdns::{Data, Packet, Record, RecordType};

use super::network::{Lab, TYPE, instance, millis, name, query, service};

#[test]
fn second_machine_with_the_same_name_is_renamed() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(5000));
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(10_000));
    assert_eq!([lab.published(0), lab.published(1)], ["den/den", "den (2)/den-2"]);
    lab.add(&service("Den", 8765), &[1]);
    lab.run(millis(20_000));
    assert_eq!(lab.published(2), "Den (3)/Den-3", "case makes no difference");
    let defences = lab.times(|sent| sent.machine == 0 && sent.at.as_micros() > 5_000_000 && sent.packet.is_response);
    assert!(defences.windows(2).all(|pair| pair[1] - pair[0] >= 250), "{defences:?}");
}

#[test]
fn only_one_of_machines_that_start_together_keeps_the_name() {
    for count in [2, 5] {
        let mut lab = Lab::new();
        for _ in 0..count {
            lab.add(&service("den", 8765), &[1]);
        }
        lab.run(millis(60_000));
        let mut names: Vec<String> = (0..count).map(|machine| lab.published(machine)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
        assert!(names.contains(&"den/den".to_owned()), "{names:?}");
    }
}

#[test]
fn of_simultaneous_probes_the_one_with_the_later_data_has_precedence() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(20_000));
    // 10.1.0.1 is later than 10.1.0.0, and so is its TXT record.
    assert_eq!([lab.published(0), lab.published(1)], ["den (2)/den-2", "den/den"]);
}

#[test]
fn names_are_unique_although_packets_are_lost_and_repeated() {
    let mut lab = Lab::new();
    (lab.loss, lab.duplication) = (20, 20);
    for _ in 0..4 {
        lab.add(&service("den", 8765), &[1]);
        lab.run(millis(700));
    }
    // Machines that missed all probes of another learn of it when records are asked for.
    for _ in 0..60 {
        for machine in 0..4 {
            let ask = [query(instance("den"), RecordType::ANY), query(name("den.local"), RecordType::ANY)];
            ask.iter().for_each(|ask| lab.inject(machine, 3, "10.1.0.99:5353", ask));
        }
        lab.run(millis(2000));
    }
    let mut names: Vec<String> = (0..4).map(|machine| lab.published(machine)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn records_that_a_reflector_repeats_on_another_network_are_no_conflict() {
    let mut lab = Lab::new();
    lab.reflects = true;
    lab.add(&service("den", 8765), &[1, 2]);
    lab.run(millis(60_000));
    assert_eq!(lab.published(0), "den/den");
    assert_eq!(lab.times(|sent| sent.is_probe()).len(), 6, "it probes once on each network");
    // Also records that the reflector repeats late.
    lab.machines[0].links[0].addresses = vec!["10.1.0.77".parse().unwrap()];
    lab.update_links(0);
    lab.run(millis(5000));
    lab.update_links(0);
    let data = Data::A([10, 1, 0, 0].into());
    let old = Record { name: name("den.local"), data, ttl: 120, cache_flush: true };
    let old = Packet { is_response: true, answers: vec![old], ..Packet::default() };
    let count = lab.sent.len();
    lab.inject(0, 4, "10.2.0.254:5353", &old);
    lab.run(millis(5000));
    assert_eq!((lab.sent.len(), lab.published(0)), (count, "den/den".into()));
    // The same record long after is one of another machine.
    lab.run(millis(130_000));
    lab.machines[0].links[0].addresses = vec!["10.1.0.78".parse().unwrap()];
    lab.update_links(0);
    lab.run(millis(5000));
    lab.sent.clear();
    lab.inject(0, 4, "10.2.0.254:5353", &old);
    lab.run(millis(50));
    assert!(lab.sent[0].is_probe());
}

#[test]
fn earlier_properties_that_a_reflector_repeats_are_no_conflict() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(10_000));
    let txt = |lab: &Lab| {
        let records = lab.sent.iter().rev().flat_map(|sent| &sent.packet.answers);
        records.into_iter().find(|record| matches!(record.data, Data::Txt(_))).cloned().unwrap()
    };
    let earlier = txt(&lab);
    lab.sent.clear();
    lab.set_properties(0, &[("map", "desert")]);
    lab.run(millis(5000));
    assert_eq!(txt(&lab).data, Data::Txt(b"\x0amap=desert"[..].into()), "it is announced");
    assert_eq!(lab.times(|sent| sent.is_probe()), [0_u64; 0], "the name is not claimed again");
    let late = Packet { is_response: true, answers: vec![earlier], ..Packet::default() };
    lab.sent.clear();
    lab.inject(0, 3, "10.1.0.254:5353", &late);
    lab.run(millis(5000));
    assert_eq!((lab.sent.len(), lab.published(0)), (0, "den/den".into()));
}

#[test]
fn reflector_between_its_networks_does_not_prevent_the_renaming_of_a_second_machine() {
    let mut lab = Lab::new();
    lab.reflects = true;
    lab.add(&service("den", 8765), &[1, 2]);
    lab.run(millis(5000));
    lab.add(&service("den", 8765), &[2]);
    lab.run(millis(60_000));
    assert_eq!([lab.published(0), lab.published(1)], ["den/den", "den (2)/den-2"]);
}

#[test]
fn second_server_of_one_machine_shares_the_host_and_outlives_the_goodbye_of_the_first() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.add(&service("den", 8766), &[1]);
    lab.machines[1].links = lab.machines[0].links.clone();
    lab.update_links(1);
    lab.run(millis(20_000));
    let mut names = [lab.published(0), lab.published(1)];
    names.sort_unstable();
    assert_eq!(names, ["den (2)/den", "den/den"]);
    lab.sent.clear();
    lab.stop(0);
    lab.run(millis(5000));
    assert!(lab.sent.iter().any(|sent| sent.machine == 1 && sent.answers(&name("den.local"), RecordType::A)));
}

#[test]
fn name_that_is_claimed_by_another_machine_is_probed_for_and_given_up_if_it_insists() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(5000));
    let data = Data::A([10, 1, 0, 99].into());
    let claim = Record { name: name("den.local"), data, ttl: 120, cache_flush: true };
    let claim = Packet { is_response: true, answers: vec![claim], ..Packet::default() };
    lab.inject(0, 3, "10.1.0.99:5353", &claim);
    lab.run(millis(5000));
    assert_eq!(lab.published(0), "den/den");
    lab.inject(0, 3, "10.1.0.99:5353", &claim);
    lab.run(millis(100));
    lab.inject(0, 3, "10.1.0.99:5353", &claim);
    lab.run(millis(5000));
    assert_eq!(lab.published(0), "den/den-2");
}

#[test]
fn pointer_that_a_renamed_machine_withdraws_is_restored() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(5000));
    lab.sent.clear();
    let data = Data::Ptr(instance("den"));
    let goodbye = Record { name: name(TYPE), data, ttl: 0, cache_flush: false };
    let goodbye = Packet { is_response: true, answers: vec![goodbye], ..Packet::default() };
    lab.inject(0, 3, "10.1.0.99:5353", &goodbye);
    lab.run(millis(500));
    assert!(lab.sent.len() == 1 && lab.sent[0].answers(&name(TYPE), RecordType::PTR));
}

#[test]
fn goodbye_of_another_machine_is_no_claim() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(5000));
    let count = lab.sent.len();
    let data = Data::A([10, 1, 0, 99].into());
    let goodbye = Record { name: name("den.local"), data, ttl: 0, cache_flush: true };
    let goodbye = Packet { is_response: true, answers: vec![goodbye], ..Packet::default() };
    lab.inject(0, 3, "10.1.0.99:5353", &goodbye);
    lab.run(millis(5000));
    assert_eq!(lab.sent.len(), count);
}

#[test]
fn machine_that_claims_every_name_slows_the_search_for_one_down() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    for _ in 0..60_000 / 20 {
        let own = lab.sent.last().map(|sent| sent.packet.clone()).unwrap_or_default();
        for record in own.authorities.iter().filter(|record| record.data.record_type() == RecordType::A) {
            let claim = Record { data: Data::A([9, 9, 9, 9].into()), ttl: 120, ..record.clone() };
            let claim = Packet { is_response: true, answers: vec![claim], ..Packet::default() };
            lab.inject(0, 3, "10.1.0.99:5353", &claim);
        }
        lab.run(millis(20));
    }
    let probes = lab.times(|sent| sent.is_probe());
    assert!(probes.len() < 60, "{} probes in a minute", probes.len());
    assert!(probes.len() > 15);
}
