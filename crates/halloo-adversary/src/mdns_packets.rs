//! Packets of multicast DNS as an attacker sends them, written without the code under attack (RFC 1035 section 4).

use crate::random::Random;

/// The service type of halloo.
const SERVICE_TYPE: &str = "_halloo._tcp.local";
/// The longest time to live that the format allows, in seconds.
const TTL: u32 = 1 << 31;
const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const SRV: u16 = 33;
/// The class IN.
const IN: u16 = 1;
/// The bit of the class that asks for a response by unicast (RFC 6762 section 5.4).
const UNICAST: u16 = 0x8000;
/// A pointer to the name at the end of the header.
const FIRST_NAME: [u8; 2] = [0xc0, 12];

/// Returns a query for every server.
pub(crate) fn query(unicast_response: bool) -> Vec<u8> {
    let class = if unicast_response { IN | UNICAST } else { IN };
    [header(0, 1, 0), name(SERVICE_TYPE), PTR.to_be_bytes().into(), class.to_be_bytes().into()].concat()
}

/// Returns the number of answers of a response that contains a pointer to a server; 0 for everything else.
pub(crate) fn pointers(packet: &[u8]) -> u16 {
    let is_response = packet.get(2).is_some_and(|flags| flags & 0x80 != 0);
    let service_type = name(SERVICE_TYPE);
    let has_type = packet.windows(service_type.len()).any(|window| window == service_type);
    if is_response && has_type { u16::from_be_bytes([packet[6], packet[7]]) } else { 0 }
}

/// Returns one of six kinds of packets, by `number`: addresses of many hosts, a service, addresses of one host, a long TXT
/// record, a query, and one of these with a mistake.
pub(crate) fn flood(number: u64, random: &mut Random) -> Vec<u8> {
    match number % 6 {
        0 => hosts(random),
        1 => service(random),
        2 => one_host(random),
        3 => text(random),
        4 => query(number.is_multiple_of(4)),
        _ => malformed(number, random),
    }
}

fn hosts(random: &mut Random) -> Vec<u8> {
    let mut packet = header(0x8400, 0, 20);
    for _ in 0..20 {
        let host = name(&format!("host-{:x}.local", random.next()));
        packet.extend(record(&host, A, &random.bytes(4)));
    }
    packet
}

/// The addresses have the name of the first.
fn one_host(random: &mut Random) -> Vec<u8> {
    let mut packet = header(0x8400, 0, 60);
    packet.extend(record(&name("den.local"), A, &random.bytes(4)));
    for _ in 1..60 {
        packet.extend(record(&FIRST_NAME, A, &random.bytes(4)));
    }
    packet
}

fn service(random: &mut Random) -> Vec<u8> {
    let (label, host) = (format!("den {:x}", random.next()), name(&format!("host-{:x}.local", random.next())));
    let instance = name(&format!("{label}.{SERVICE_TYPE}"));
    let mut packet = header(0x8400, 0, 4);
    packet.extend(record(&name(SERVICE_TYPE), PTR, &instance));
    packet.extend(record(&instance, SRV, &[&[0, 0, 0, 0, 0x22, 0x3d][..], &host].concat()));
    packet.extend(record(&instance, TXT, &strings(random, 200)));
    packet.extend(record(&host, A, &[10, 67, 0, random.next() as u8]));
    packet
}

fn text(random: &mut Random) -> Vec<u8> {
    let instance = name(&format!("den {:x}.{SERVICE_TYPE}", random.next()));
    let mut packet = header(0x8400, 0, 2);
    packet.extend(record(&name(SERVICE_TYPE), PTR, &instance));
    packet.extend(record(&instance, TXT, &strings(random, 1200)));
    packet
}

fn malformed(number: u64, random: &mut Random) -> Vec<u8> {
    let mut packet = flood(number / 6 % 5, random);
    let at = random.below(packet.len() as u64) as usize;
    if number % 4 == 1 {
        packet.truncate(at);
    } else {
        packet[at] = random.next() as u8;
    }
    packet
}

/// Returns the strings of a TXT record with this many bytes.
fn strings(random: &mut Random, length: usize) -> Vec<u8> {
    let mut strings = Vec::with_capacity(length + 16);
    while strings.len() < length {
        strings.extend([&[99, b'k', b'='][..], &random.bytes(97)].concat());
    }
    strings
}

fn header(flags: u16, questions: u16, answers: u16) -> Vec<u8> {
    [0, flags, questions, answers, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn name(dotted: &str) -> Vec<u8> {
    let mut name: Vec<u8> =
        dotted.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    name.push(0);
    name
}

fn record(name: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let fields = [&kind.to_be_bytes()[..], &IN.to_be_bytes(), &TTL.to_be_bytes(), &(data.len() as u16).to_be_bytes()];
    [name, &fields.concat(), data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_responses_with_a_pointer_count() {
        let mut random = Random::new(1);
        assert_eq!([pointers(&service(&mut random)), pointers(&hosts(&mut random)), pointers(&query(true))], [4, 0, 0]);
        assert_eq!((query(false).len(), pointers(&[])), (12 + 20 + 4, 0));
        // None fragments on Ethernet.
        assert!((0..600).all(|number| flood(number, &mut random).len() <= 1472));
    }
}
