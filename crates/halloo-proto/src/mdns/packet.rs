//! Packets of multicast DNS, parsed and written by `simple-dns` within limits of our own.

use std::borrow::Cow;

use simple_dns::rdata::{A, AAAA, NSEC, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, CharacterString, Label, OPCODE, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE};

use super::{Data, Name, Question, Record, RecordType};

/// Maximum bytes of a packet (RFC 6762 section 17).
pub const MAX_PACKET_BYTES: usize = 9000;
/// Maximum questions and records of a packet that is parsed. An honest packet has a few dozen; the limit bounds the work
/// for one, and what the parser allocates for the counts in the header.
const MAX_ITEMS: usize = 256;
const HEADER_BYTES: usize = 12;
/// The bit of the flags that is reserved, and ignored (RFC 6762 section 18.8).
const RESERVED: u8 = 0x40;

/// A query or a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// 0 in multicast packets; a response to a legacy query repeats it.
    pub id: u16,
    /// Whether this is a response, and not a query.
    pub is_response: bool,
    /// Whether more known answers follow in another packet (RFC 6762 section 7.2).
    pub is_truncated: bool,
    /// The questions.
    pub questions: Vec<Question>,
    /// The answers, in a query those that are known.
    pub answers: Vec<Record>,
    /// In a query, the records that are probed for.
    pub authorities: Vec<Record>,
    /// Records that the receiver will probably ask for next.
    pub additionals: Vec<Record>,
}

impl Packet {
    /// Parses a packet. Returns `None` if it is malformed, too large, or not to be processed. Records of another class
    /// than IN are left out.
    pub fn parse(bytes: &[u8]) -> Option<Packet> {
        if bytes.len() > MAX_PACKET_BYTES || counted_items(bytes)? > MAX_ITEMS {
            return None;
        }
        let mut bytes = Cow::Borrowed(bytes);
        if bytes[3] & RESERVED != 0 {
            bytes.to_mut()[3] &= !RESERVED;
        }
        let parsed = simple_dns::Packet::parse(&bytes).ok()?;
        // Other codes are ignored (RFC 6762 sections 18.3 and 18.11).
        if parsed.opcode() != OPCODE::StandardQuery || parsed.rcode() != RCODE::NoError {
            return None;
        }
        let records = |section: &[ResourceRecord<'_>]| section.iter().filter_map(parse_record).collect();
        Some(Packet {
            id: parsed.id(),
            is_response: parsed.has_flags(PacketFlag::RESPONSE),
            is_truncated: parsed.has_flags(PacketFlag::TRUNCATION),
            questions: parsed.questions.iter().filter_map(parse_question).collect(),
            answers: records(&parsed.answers),
            authorities: records(&parsed.name_servers),
            additionals: records(&parsed.additional_records),
        })
    }

    /// Returns the packet as bytes. Returns `None` if it has more than [`MAX_PACKET_BYTES`].
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut packet = if self.is_response {
            let mut packet = simple_dns::Packet::new_reply(self.id);
            packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
            packet
        } else {
            simple_dns::Packet::new_query(self.id)
        };
        if self.is_truncated {
            packet.set_flags(PacketFlag::TRUNCATION);
        }
        packet.questions = self.questions.iter().map(build_question).collect();
        packet.answers = self.answers.iter().filter_map(build_record).collect();
        packet.name_servers = self.authorities.iter().filter_map(build_record).collect();
        packet.additional_records = self.additionals.iter().filter_map(build_record).collect();
        packet.build_bytes_vec_compressed().ok().filter(|bytes| bytes.len() <= MAX_PACKET_BYTES)
    }

    /// Returns all records of a response.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.answers.iter().chain(&self.authorities).chain(&self.additionals)
    }
}

/// Returns the sum of the counts in the header.
fn counted_items(bytes: &[u8]) -> Option<usize> {
    let counts = bytes.get(4..HEADER_BYTES)?;
    Some(counts.chunks_exact(2).map(|count| usize::from(u16::from_be_bytes([count[0], count[1]]))).sum())
}

fn parse_name(name: &simple_dns::Name<'_>) -> Option<Name> {
    Name::from_labels(name.as_bytes())
}

fn parse_question(question: &simple_dns::Question<'_>) -> Option<Question> {
    if !matches!(question.qclass, QCLASS::CLASS(CLASS::IN) | QCLASS::ANY) {
        return None;
    }
    Some(Question {
        name: parse_name(&question.qname)?,
        record_type: RecordType(question.qtype.into()),
        unicast_response: question.unicast_response,
    })
}

fn parse_record(record: &ResourceRecord<'_>) -> Option<Record> {
    if record.class != CLASS::IN {
        return None;
    }
    let data = match &record.rdata {
        RData::A(a) => Data::A(a.address.into()),
        RData::AAAA(aaaa) => Data::Aaaa(aaaa.address.into()),
        RData::PTR(PTR(name)) => Data::Ptr(parse_name(name)?),
        RData::SRV(SRV { priority, weight, port, target }) => {
            Data::Srv { priority: *priority, weight: *weight, port: *port, target: parse_name(target)? }
        }
        RData::TXT(txt) => {
            let mut strings = Vec::new();
            // Strings without a key are to be ignored (RFC 6763 section 6.4).
            for (key, value) in txt.iter_raw() {
                let length = key.len() + value.map_or(0, |value| value.len() + 1);
                strings.push(u8::try_from(length).ok()?);
                strings.extend_from_slice(key);
                strings.extend(value.iter().flat_map(|value| b"=".iter().chain(*value)));
            }
            Data::Txt(strings.into())
        }
        // Without content, it is malformed, or part of an update.
        RData::Empty(_) => return None,
        other => Data::Other(RecordType(other.type_code().into())),
    };
    Some(Record { name: parse_name(&record.name)?, data, ttl: record.ttl, cache_flush: record.cache_flush })
}

fn build_name(name: &Name) -> simple_dns::Name<'_> {
    let labels: Vec<Label<'_>> = name.labels().map(Label::new_unchecked).collect();
    simple_dns::Name::new_with_labels(&labels)
}

fn build_question(question: &Question) -> simple_dns::Question<'_> {
    let record_type = match question.record_type {
        RecordType::ANY => QTYPE::ANY,
        RecordType(other) => QTYPE::TYPE(other.into()),
    };
    let class = QCLASS::CLASS(CLASS::IN);
    simple_dns::Question::new(build_name(&question.name), record_type, class, question.unicast_response)
}

/// Returns `None` for a record whose content is not known.
fn build_record(record: &Record) -> Option<ResourceRecord<'_>> {
    let data = match &record.data {
        Data::A(ip) => RData::A(A::from(*ip)),
        Data::Aaaa(ip) => RData::AAAA(AAAA::from(*ip)),
        Data::Ptr(name) => RData::PTR(PTR(build_name(name))),
        Data::Srv { priority, weight, port, target } => {
            RData::SRV(SRV { priority: *priority, weight: *weight, port: *port, target: build_name(target) })
        }
        Data::Txt(strings) => {
            let mut txt = TXT::new();
            let mut rest = &strings[..];
            while let Some((&length, after)) = rest.split_first() {
                let (string, after) = after.split_at_checked(usize::from(length))?;
                txt.add_char_string(CharacterString::new(string).ok()?);
                rest = after;
            }
            RData::TXT(txt)
        }
        Data::Nsec(name, types) => {
            let types: Vec<TYPE> = types.iter().map(|exists| exists.0.into()).collect();
            RData::NSEC(NSEC::from_types(build_name(name), &types))
        }
        Data::Other(_) => return None,
    };
    let built = ResourceRecord::new(build_name(&record.name), CLASS::IN, record.ttl, data);
    Some(built.with_cache_flush(record.cache_flush))
}
