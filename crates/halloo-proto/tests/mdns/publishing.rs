//! Claiming names, announcing records and withdrawing them.

use halloo_proto::mdns::{InvalidService, RecordType, Responder};

use super::network::{Lab, address, addresses, instance, link, millis, name, query, service};

#[test]
fn three_probes_are_followed_by_two_announcements() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(10_000));
    let probes = lab.times(|sent| sent.is_probe());
    assert!(probes[0] < 250, "{probes:?}");
    assert_eq!(probes.iter().map(|at| at - probes[0]).collect::<Vec<_>>(), [0, 250, 500]);
    let announced = lab.times(|sent| sent.answers(&instance("den"), RecordType::SRV));
    assert_eq!(announced, [probes[0] + 750, probes[0] + 1750]);
    assert_eq!(lab.sent.len(), 5, "nothing else is sent");
    let announcement = &lab.sent[4].packet;
    let types: Vec<u16> = announcement.answers.iter().map(|record| record.data.record_type().0).collect();
    assert_eq!(types, [12, 12, 33, 16, 1]);
    let flush: Vec<bool> = announcement.answers.iter().map(|record| record.cache_flush).collect();
    assert_eq!(flush, [false, false, true, true, true], "only the records that are not shared replace others");
    let ttls: Vec<u32> = announcement.answers.iter().map(|record| record.ttl).collect();
    assert_eq!(ttls, [4500, 4500, 120, 4500, 120]);
    assert_eq!(lab.published(0), "den/den");
}

#[test]
fn each_interface_gets_only_its_own_addresses() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1, 2]);
    lab.run(millis(3000));
    for sent in lab.sent.iter().filter(|sent| sent.packet.is_response) {
        assert_eq!(addresses(&sent.packet), [address(sent.interface as usize - 2, 0)]);
    }
    assert_eq!(lab.times(|sent| sent.packet.is_response).len(), 4);
}

#[test]
fn service_is_published_on_25_interfaces_and_withdrawn_with_a_goodbye_on_each() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &(1..=25).collect::<Vec<_>>());
    lab.run(millis(3000));
    assert_eq!(lab.times(|sent| sent.packet.is_response).len(), 50);
    lab.stop(0);
    let goodbyes: Vec<_> = lab.sent.iter().filter(|sent| sent.is_goodbye()).collect();
    assert_eq!(goodbyes.len(), 50, "two on each, because one can get lost");
    let types: Vec<u16> = goodbyes[0].packet.answers.iter().map(|record| record.data.record_type().0).collect();
    assert_eq!(types, [12, 33, 16, 1], "the service type is not withdrawn, since others may have it");
    assert!(goodbyes[0].packet.answers.iter().all(|record| record.ttl == 0));
    let count = lab.sent.len();
    lab.inject(0, 3, "10.1.0.9:5353", &query(name(super::network::TYPE), RecordType::PTR));
    lab.run(millis(3000));
    assert_eq!(lab.sent.len(), count, "a service that was withdrawn does not respond");
    assert_eq!(lab.published(0), "-");
}

#[test]
fn service_that_is_stopped_while_it_probes_sends_no_goodbye() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(600));
    lab.stop(0);
    assert!(!lab.sent.is_empty() && !lab.sent.iter().any(|sent| sent.is_goodbye()));
}

#[test]
fn changed_address_is_announced_and_replaces_the_old_one() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1, 2]);
    lab.run(millis(5000));
    let count = lab.sent.len();
    lab.machines[0].links[0].addresses = vec!["10.1.0.77".parse().unwrap()];
    lab.update_links(0);
    lab.run(millis(5000));
    let sent = &lab.sent[count..];
    assert_eq!(sent.len(), 2, "two announcements, without probes, on one of the interfaces");
    assert!(sent.iter().all(|sent| sent.interface == 3 && sent.answers(&name("den.local"), RecordType::A)));
    assert_eq!(addresses(&sent[0].packet), ["10.1.0.77".parse::<std::net::IpAddr>().unwrap()]);
    assert!((sent[0].at - sent[1].at).is_zero() && sent[1].at - sent[0].at == millis(1000));
}

#[test]
fn interface_that_returns_with_another_index_is_probed_and_announced() {
    let mut lab = Lab::new();
    lab.add(&service("den", 8765), &[1]);
    lab.run(millis(5000));
    lab.machines[0].links.clear();
    lab.update_links(0);
    let count = lab.sent.len();
    lab.run(millis(5000));
    assert_eq!(lab.sent.len(), count);
    lab.machines[0].links.push(link(9, address(1, 0)));
    lab.update_links(0);
    lab.run(millis(5000));
    let sent = &lab.sent[count..];
    assert_eq!(sent.iter().filter(|sent| sent.is_probe()).count(), 3);
    assert_eq!(sent.iter().filter(|sent| sent.answers(&name("den.local"), RecordType::A)).count(), 2);
    assert!(sent.iter().all(|sent| sent.interface == 9));
}

#[test]
fn large_properties_fit_into_the_announcement() {
    let mut lab = Lab::new();
    let mut large = service("den", 8765);
    large.properties.extend((0..16).map(|key| (format!("key{key}"), "x".repeat(180))));
    lab.add(&large, &[1]);
    lab.run(millis(3000));
    let txt = lab.sent.last().unwrap().packet.answers.iter().find_map(|record| match &record.data {
        halloo_proto::mdns::Data::Txt(strings) => Some(strings.len()),
        _ => None,
    });
    assert!(txt.unwrap() > 16 * 180);
}

#[test]
fn names_and_properties_that_do_not_fit_are_refused() {
    let refused = |change: fn(&mut halloo_proto::mdns::Service)| {
        let mut service = service("den", 8765);
        change(&mut service);
        Responder::new(&service, 1).err()
    };
    assert_eq!(refused(|_| {}), None);
    assert_eq!(refused(|service| service.instance = "x".repeat(57)), Some(InvalidService::Name));
    assert_eq!(refused(|service| service.host = String::new()), Some(InvalidService::Name));
    let property = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    assert!(refused(|service| service.properties.clear()).is_none());
    for (key, value) in [("", "x"), ("a=b", "x"), ("ä", "x"), ("key", &*"x".repeat(252))] {
        let mut service = service("den", 8765);
        service.properties = property(key, value);
        assert_eq!(Responder::new(&service, 1).err(), Some(InvalidService::Property), "{key:?}");
    }
    let mut service = service("den", 8765);
    service.properties = vec![property("k", &"x".repeat(250)).remove(0); 17];
    assert_eq!(Responder::new(&service, 1).err(), Some(InvalidService::Property));
}
