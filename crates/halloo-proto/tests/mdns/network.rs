//! Networks with machines on them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::mdns::{
    Data, Destination, Link, Name, PORT, Packet, Querier, Question, RecordType, Responder, Service, ServiceChange,
    Transmit,
};

pub(crate) const TYPE: &str = "_halloo._tcp.local";

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn instance(label: &str) -> Name {
    name(TYPE).child(label.as_bytes()).unwrap()
}

pub(crate) fn service(label: &str, port: u16) -> Service {
    Service {
        service_type: TYPE.into(),
        instance: label.into(),
        host: label.into(),
        port,
        properties: vec![("v".into(), "2".into()), ("id".into(), format!("{port:016x}"))],
    }
}

/// A multicast query with one question.
pub(crate) fn query(name: Name, record_type: RecordType) -> Packet {
    Packet { questions: vec![Question { name, record_type, unicast_response: false }], ..Packet::default() }
}

/// A packet that was sent.
pub(crate) struct Sent {
    pub(crate) at: Time,
    pub(crate) machine: usize,
    pub(crate) interface: u32,
    pub(crate) to: Destination,
    pub(crate) packet: Packet,
}

impl Sent {
    /// Returns whether it is a response with an answer of this name and type that is no goodbye.
    pub(crate) fn answers(&self, name: &Name, record_type: RecordType) -> bool {
        let is_asked = |record: &halloo_proto::mdns::Record| {
            record.name == *name && record.data.record_type() == record_type && record.ttl > 0
        };
        self.packet.is_response && self.packet.answers.iter().any(is_asked)
    }

    pub(crate) fn is_probe(&self) -> bool {
        !self.packet.authorities.is_empty()
    }

    pub(crate) fn is_goodbye(&self) -> bool {
        self.packet.answers.iter().any(|record| record.ttl == 0)
    }
}

struct Delivery {
    machine: usize,
    interface: u32,
    from: SocketAddr,
    bytes: Vec<u8>,
}

/// What a machine runs.
pub(crate) struct Machine {
    responder: Option<Responder>,
    querier: Option<Querier>,
    pub(crate) links: Vec<Link>,
    /// The number of the network that each interface is on.
    networks: BTreeMap<u32, usize>,
    timeout_calls: usize,
}

impl Machine {
    fn handle_packet(&mut self, bytes: &[u8], from: SocketAddr, interface: u32, now: Time) {
        self.responder.iter_mut().for_each(|responder| responder.handle_packet(bytes, from, interface, now));
        self.querier.iter_mut().for_each(|querier| querier.handle_packet(bytes, from, interface, now));
    }

    fn handle_timeout(&mut self, now: Time) {
        self.responder.iter_mut().for_each(|responder| responder.handle_timeout(now));
        self.querier.iter_mut().for_each(|querier| querier.handle_timeout(now));
    }

    fn poll_timeout(&self) -> Time {
        let responder = self.responder.as_ref().map_or(Time::NEVER, Responder::poll_timeout);
        responder.min(self.querier.as_ref().map_or(Time::NEVER, Querier::poll_timeout))
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let responder = self.responder.as_mut().and_then(Responder::poll_transmit);
        responder.or_else(|| self.querier.as_mut().and_then(Querier::poll_transmit))
    }
}

/// Machines on networks, which repeat packets to the interfaces of their senders too.
pub(crate) struct Lab {
    pub(crate) now: Time,
    pub(crate) machines: Vec<Machine>,
    pub(crate) sent: Vec<Sent>,
    /// Per cent of the packets that are lost, and that arrive twice.
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
    /// Whether a reflector repeats each multicast to the other networks.
    pub(crate) reflects: bool,
    random: u64,
    in_flight: BTreeMap<(Time, usize), Delivery>,
    deliveries: usize,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        Lab {
            now: Time::ZERO,
            machines: Vec::new(),
            sent: Vec::new(),
            loss: 0,
            duplication: 0,
            reflects: false,
            random: 0x9e37_79b9_7f4a_7c15,
            in_flight: BTreeMap::new(),
            deliveries: 0,
        }
    }

    /// Adds a machine with an interface on each of `networks`, and returns its number. Its address on network 3 is
    /// 10.3.0.MACHINE.
    pub(crate) fn add(&mut self, service: &Service, networks: &[usize]) -> usize {
        let machine = self.machines.len();
        let mut service = service.clone();
        service.properties.push(("machine".into(), machine.to_string()));
        let responder = Responder::new(&service, 1000 + machine as u64 * 77).unwrap();
        self.add_machine(Some(responder), None, networks)
    }

    /// Adds a machine that searches for services.
    pub(crate) fn add_search(&mut self, networks: &[usize]) -> usize {
        let mut querier = Querier::new(2000 + self.machines.len() as u64 * 77);
        querier.search(name(TYPE), self.now);
        self.add_machine(None, Some(querier), networks)
    }

    fn add_machine(&mut self, responder: Option<Responder>, querier: Option<Querier>, networks: &[usize]) -> usize {
        let machine = self.machines.len();
        let links = networks.iter().map(|network| link(*network as u32 + 2, address(*network, machine))).collect();
        let networks = networks.iter().map(|network| (*network as u32 + 2, *network)).collect();
        self.machines.push(Machine { responder, querier, links, networks, timeout_calls: 0 });
        self.update_links(machine);
        machine
    }

    pub(crate) fn update_links(&mut self, machine: usize) {
        let Machine { responder, querier, links, .. } = &mut self.machines[machine];
        responder.iter_mut().for_each(|responder| responder.handle_links(links, self.now));
        querier.iter_mut().for_each(|querier| querier.handle_links(links, self.now));
    }

    /// Changes the properties of the service of a machine.
    pub(crate) fn set_properties(&mut self, machine: usize, properties: &[(&str, &str)]) {
        let pairs: Vec<(String, String)> =
            properties.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        self.machines[machine].responder.as_mut().unwrap().set_properties(&pairs, self.now).unwrap();
        self.collect(machine);
    }

    pub(crate) fn stop(&mut self, machine: usize) {
        self.machines[machine].responder.as_mut().unwrap().stop();
        self.collect(machine);
    }

    /// Hands a packet from `from` to one interface of a machine, as if the network carried it.
    pub(crate) fn inject(&mut self, machine: usize, interface: u32, from: &str, packet: &Packet) {
        let bytes = packet.encode().unwrap();
        self.inject_bytes(machine, interface, from, &bytes);
    }

    pub(crate) fn inject_bytes(&mut self, machine: usize, interface: u32, from: &str, bytes: &[u8]) {
        let (from, now) = (from.parse().unwrap(), self.now);
        self.machines[machine].handle_packet(bytes, from, interface, now);
        self.collect(machine);
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let timers = self.machines.iter().map(|machine| machine.poll_timeout());
            let packets = self.in_flight.keys().next().map(|(at, _)| *at);
            let next = timers.chain(packets).min().unwrap_or(Time::NEVER);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let Delivery { machine, interface, from, bytes } = entry.remove();
                self.machines[machine].handle_packet(&bytes, from, interface, self.now);
                self.collect(machine);
            }
            for machine in 0..self.machines.len() {
                let entry = &mut self.machines[machine];
                if entry.poll_timeout() <= self.now {
                    entry.timeout_calls += 1;
                    assert!(entry.timeout_calls < 1_000_000, "the timer is always due");
                    entry.handle_timeout(self.now);
                }
                self.collect(machine);
            }
        }
        self.now = end;
    }

    /// Returns the names under which a machine publishes its service, as `instance/host`.
    pub(crate) fn published(&self, machine: usize) -> String {
        let publication = self.machines[machine].responder.as_ref().unwrap().publication();
        publication.map_or_else(|| "-".into(), |found| format!("{}/{}", found.instance, found.host))
    }

    pub(crate) fn querier(&mut self, machine: usize) -> &mut Querier {
        self.machines[machine].querier.as_mut().unwrap()
    }

    /// Returns the changes that a search reports, such as `+den` for a service that was found.
    pub(crate) fn changes(&mut self, machine: usize) -> Vec<String> {
        let changes = std::iter::from_fn(|| self.querier(machine).poll_change());
        let text = changes.map(|change| match change {
            ServiceChange::Found(found) => format!("+{}", found.instance),
            ServiceChange::Updated(found) => format!("~{}", found.instance),
            ServiceChange::Lost(found) => format!("-{}", found.instance),
            ServiceChange::HostFound(host, addresses) => format!("{host} {addresses:?}"),
        });
        text.collect()
    }

    /// Returns the times in milliseconds at which a matching packet was sent.
    pub(crate) fn times(&self, matches: impl Fn(&Sent) -> bool) -> Vec<u64> {
        self.sent.iter().filter(|sent| matches(sent)).map(|sent| sent.at.as_micros() / 1000).collect()
    }

    fn collect(&mut self, machine: usize) {
        while let Some(Transmit { interface, to, bytes }) = self.machines[machine].poll_transmit() {
            let packet = Packet::parse(&bytes).expect("a valid packet");
            self.sent.push(Sent { at: self.now, machine, interface, to, packet });
            let Some(network) = self.machines[machine].networks.get(&interface).copied() else { continue };
            let networks = if self.reflects { vec![0, 1, 2, 3] } else { vec![network] };
            if to != Destination::Multicast {
                continue;
            }
            for to in networks {
                let source = if to == network { address(network, machine) } else { address(to, 254) };
                self.carry(to, SocketAddr::new(source, PORT), &bytes);
            }
        }
    }

    fn carry(&mut self, network: usize, from: SocketAddr, bytes: &[u8]) {
        for machine in 0..self.machines.len() {
            let on_network = self.machines[machine].networks.iter().filter(|(_, number)| **number == network);
            let interfaces: Vec<u32> = on_network.map(|(interface, _)| *interface).collect();
            for interface in interfaces {
                if self.percent(self.loss) {
                    continue;
                }
                for _ in 0..1 + usize::from(self.percent(self.duplication)) {
                    self.deliveries += 1;
                    let delivery = Delivery { machine, interface, from, bytes: bytes.into() };
                    self.in_flight.insert((self.now + millis(1), self.deliveries), delivery);
                }
            }
        }
    }

    fn percent(&mut self, share: u64) -> bool {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % 100 < share
    }
}

pub(crate) fn address(network: usize, machine: usize) -> IpAddr {
    Ipv4Addr::new(10, network as u8, 0, machine as u8).into()
}

pub(crate) fn link(index: u32, address: IpAddr) -> Link {
    Link { name: format!("eth{index}"), index, addresses: vec![address] }
}

/// The addresses among the records of a packet.
pub(crate) fn addresses(packet: &Packet) -> Vec<IpAddr> {
    packet.records().filter_map(|record| Data::address(&record.data)).collect()
}
