//! Floods of datagrams that helper processes send from another device.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};

use crate::mdns_packets;
use crate::random::Random;

/// Where multicast DNS is sent.
pub(crate) const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);
/// The smallest probe, which is shorter than every reply.
const SMALL_PROBE: &[u8] = br#"{"service":"websocket_server_probe"}"#;

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) millis: u64,
}

impl Sent {
    /// Formats it for another process.
    pub(crate) fn to_line(self) -> String {
        format!("sent {} {} {}", self.packets, self.bytes, self.millis)
    }

    /// Parses what [`to_line`](Sent::to_line) made.
    pub(crate) fn from_line(line: &str) -> Result<Sent> {
        let mut numbers = line.strip_prefix("sent ").context("the flooder did not finish")?.split(' ');
        let mut next = || numbers.next().and_then(|number| number.parse().ok()).context("the flooder sent no numbers");
        Ok(Sent { packets: next()?, bytes: next()?, millis: next()? })
    }

    pub(crate) fn summary(self) -> String {
        let seconds = self.millis.max(1) as f64 / 1000.0;
        let (rate, megabytes) = (self.packets as f64 / seconds, self.bytes as f64 / seconds / 1e6);
        format!("{} packets in, {rate:.0}/s, {megabytes:.1} MB/s", self.packets)
    }
}

/// Sends packets of multicast DNS, of several kinds, as fast as `megabytes` per second.
pub(crate) fn multicast_dns(time: Duration, megabytes: f64, sources: &[Ipv4Addr]) -> Result<Sent> {
    let sockets = sources.iter().map(|&source| multicast_socket(source)).collect::<io::Result<Vec<_>>>()?;
    let mut random = Random::new(7);
    // Made before, so that the attacker's processor time is spent on sending.
    let packets: Vec<Vec<u8>> = (0..6000).map(|number| mdns_packets::flood(number, &mut random)).collect();
    send(time, Pace::Bytes(megabytes * 1e6), |number| {
        let packet = &packets[number as usize % packets.len()];
        sockets[(number / 6) as usize % sockets.len()].send_to(packet, SocketAddr::from(GROUP)).ok()
    })
}

/// Sends so many probes per second that are too small to be answered.
pub(crate) fn small_probes(time: Duration, per_second: f64, to: SocketAddr, sources: &[Ipv4Addr]) -> Result<Sent> {
    let sockets = sources.iter().map(|&source| broadcast_socket(source)).collect::<io::Result<Vec<_>>>()?;
    send(time, Pace::Packets(per_second), |number| {
        sockets[number as usize % sockets.len()].send_to(SMALL_PROBE, to).ok()
    })
}

enum Pace {
    Bytes(f64),
    Packets(f64),
}

/// Calls `send_one`, which returns the bytes that it sent, in time with `pace`.
fn send(time: Duration, pace: Pace, mut send_one: impl FnMut(u64) -> Option<usize>) -> Result<Sent> {
    let (start, mut sent, mut number) = (Instant::now(), Sent::default(), 0);
    while start.elapsed() < time {
        let elapsed = start.elapsed().as_secs_f64();
        let is_ahead = match pace {
            Pace::Bytes(rate) => sent.bytes as f64 > elapsed * rate,
            Pace::Packets(rate) => number as f64 > elapsed * rate,
        };
        if is_ahead {
            std::thread::sleep(Duration::from_micros(500));
            continue;
        }
        if let Some(bytes) = send_one(number) {
            sent.packets += 1;
            sent.bytes += bytes as u64;
        }
        number += 1;
    }
    sent.millis = u64::try_from(start.elapsed().as_millis())?;
    Ok(sent)
}

/// Opens a socket on the port of multicast DNS that sends from `source`, and receives if it joins the group.
pub(crate) fn multicast_socket(source: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(source, GROUP.port()).into())?;
    socket.set_multicast_if_v4(&source)?;
    socket.set_multicast_ttl_v4(255)?;
    // Otherwise the programs on the attacker's device receive the flood, too.
    socket.set_multicast_loop_v4(false)?;
    Ok(socket.into())
}

fn broadcast_socket(source: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((source, 0))?;
    socket.set_broadcast(true)?;
    Ok(socket)
}

/// Asks for servers by multicast DNS twice a second, and calls `found` at each response of `server`.
pub(crate) fn query_services(source: Ipv4Addr, server: Ipv4Addr, mut found: impl FnMut()) -> Result<()> {
    let (sender, receiver) = (multicast_socket(source)?, Socket::new(Domain::IPV4, Type::DGRAM, None)?);
    receiver.set_reuse_address(true)?;
    receiver.bind(&GROUP.into())?;
    receiver.join_multicast_v4(GROUP.ip(), &source)?;
    let receiver: UdpSocket = receiver.into();
    receiver.set_read_timeout(Some(Duration::from_millis(50)))?;
    let (mut buffer, mut asked) = ([0; 9000], None::<Instant>);
    loop {
        if asked.is_none_or(|at| at.elapsed() >= Duration::from_millis(500)) {
            sender.send_to(&mdns_packets::query(false), SocketAddr::from(GROUP))?;
            asked = Some(Instant::now());
        }
        if let Ok((length, from)) = receiver.recv_from(&mut buffer)
            && from.ip() == IpAddr::V4(server)
            && mdns_packets::pointers(&buffer[..length]) > 0
        {
            found();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_survives_the_way_to_another_process() {
        let sent = Sent { packets: 40_000, bytes: 20_000_000, millis: 1000 };
        assert_eq!(Sent::from_line(&sent.to_line()).unwrap(), sent);
        assert!(Sent::from_line("ready").is_err());
        assert_eq!(sent.summary(), "40000 packets in, 40000/s, 20.0 MB/s");
    }
}
