//! Reassembly of messages from frames: fragments, UTF-8 validation, and the limits on what a peer sends.

use std::borrow::Cow;
use std::time::Duration;

use crate::Time;
use crate::close::{CloseCode, Violation};
use crate::frame::{self, Header, MAX_CONTROL, MAX_HEADER, Opcode, Role, SHORT_HEADER};
use crate::limits::MessageLimits;
use crate::read_pauses::ReadPauses;

/// A received message or control frame. A payload that is complete in the read buffer is borrowed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole text message, which is valid UTF-8.
    Text(Cow<'a, str>),
    /// A whole binary message.
    Binary(Cow<'a, [u8]>),
    /// A whole compressed message: inflate it with [`Inflater::message`](crate::deflate::Inflater::message).
    Compressed {
        /// Whether it is text, which is validated when the message is inflated.
        text: bool,
        /// The compressed payload.
        payload: Cow<'a, [u8]>,
    },
    /// A ping: send a pong with the same payload.
    Ping(&'a [u8]),
    /// A pong, solicited or not.
    Pong(&'a [u8]),
    /// A close frame, with its code ([`CloseCode::NoStatus`] if it has none) and reason.
    Close(CloseCode, &'a str),
}

impl Incoming<'_> {
    /// Returns the bytes of the payload.
    pub fn bytes(&self) -> usize {
        match self {
            Incoming::Text(text) => text.len(),
            Incoming::Binary(bytes) | Incoming::Compressed { payload: bytes, .. } => bytes.len(),
            Incoming::Ping(payload) | Incoming::Pong(payload) => payload.len(),
            Incoming::Close(_, reason) => reason.len(),
        }
    }
}

/// The receiving half of one WebSocket connection.
///
/// The driver reads into a buffer that all its connections share, so the receiver keeps only incomplete input: the few
/// bytes of an incomplete header or control frame ([`Receiver::restore`], [`Receiver::keep`]), and a partial message.
/// It takes 32 bytes while the connection is idle.
#[derive(Debug, Default)]
pub struct Receiver {
    carry: Box<[u8]>,
    partial: Option<Box<Partial>>,
    control: ControlBudget,
}

/// A message that has been received in part.
#[derive(Debug)]
struct Partial {
    text: bool,
    compressed: bool,
    bytes: Vec<u8>,
    /// The length of the part of `bytes` that is known to be valid UTF-8.
    checked: usize,
    fragments: u32,
    started: Time,
    /// When its last byte arrived, header or payload.
    progressed: Time,
    /// The bytes of payload that are missing from the current frame, its masking key, and the offset of the next byte.
    missing: u64,
    key: Option<[u8; 4]>,
    offset: usize,
    fin: bool,
}

impl Receiver {
    /// Copies the bytes that were kept from the last read to the start of `buffer`, and returns their number. The
    /// driver reads the next bytes after them. `buffer` must have at least [`MAX_HEADER`] + [`MAX_CONTROL`] bytes.
    pub fn restore(&mut self, buffer: &mut [u8]) -> usize {
        let carry = std::mem::take(&mut self.carry);
        buffer[..carry.len()].copy_from_slice(&carry);
        carry.len()
    }

    /// Keeps the input that [`Receiver::next`] left over until the next read.
    pub fn keep(&mut self, rest: &[u8]) {
        debug_assert!(rest.len() < MAX_HEADER + MAX_CONTROL, "only an incomplete header or control frame is kept");
        if !rest.is_empty() {
            self.carry = rest.into();
        }
    }

    /// Returns when more of the partial message must have arrived; `None` if there is none. Time before `since` does not
    /// count: see [`ReadPauses::since`].
    pub fn deadline(&self, limits: &MessageLimits, since: Time) -> Option<Time> {
        self.partial.as_ref().map(|partial| partial.deadline(limits, since))
    }

    /// Begins the deadlines of the partial message anew, because nothing was read until now.
    pub(crate) fn handle_resumed(&mut self, now: Time) {
        if let Some(partial) = &mut self.partial {
            (partial.started, partial.progressed) = (now, now);
        }
    }

    /// Returns whether a message has been received in part.
    pub fn has_partial(&self) -> bool {
        self.partial.is_some()
    }

    /// Returns the bytes of memory that the partial message takes; 0 if there is none.
    pub fn partial_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.bytes.capacity())
    }

    /// Takes a whole data message of less than 126 bytes from the front of `input`, if the peer is a client and no
    /// message is partial; `None` for everything else, which [`Receiver::next`] handles.
    #[inline(always)]
    pub(crate) fn next_short<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        role: Role,
        limits: &MessageLimits,
    ) -> Option<Result<Incoming<'a>, Violation>> {
        if role == Role::Server
            && self.partial.is_none()
            && let Some((opcode, key, whole)) = frame::short_message(input)
            && whole <= limits.max_message_bytes
        {
            let payload = &mut split(input, whole)[SHORT_HEADER..];
            frame::mask(payload, key, 0);
            return Some(data(opcode, payload));
        }
        None
    }

    /// Takes the next message or control frame from the front of `input`; `None` if the rest of `input` is incomplete,
    /// and must be kept with [`Receiver::keep`]. `deflate`: messages may be compressed, as negotiated in the handshake.
    /// `now`: the current time, or a [`ReadPauses`] if reading may have been paused.
    ///
    /// # Errors
    /// A violation, with the code to close with: 1002, 1007, 1008 or 1009. The receiver must not be used afterwards.
    // Only the most common case is inlined; its result then stays in registers.
    #[inline(always)]
    pub fn next<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        role: Role,
        deflate: bool,
        limits: &MessageLimits,
        now: impl Into<ReadPauses>,
    ) -> Result<Option<Incoming<'a>>, Violation> {
        if let Some(message) = self.next_short(input, role, limits) {
            return message.map(Some);
        }
        self.next_of_any(input, role, deflate, limits, &now.into())
    }

    pub(crate) fn next_of_any<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        role: Role,
        deflate: bool,
        limits: &MessageLimits,
        pauses: &ReadPauses,
    ) -> Result<Option<Incoming<'a>>, Violation> {
        loop {
            if self.partial.as_ref().is_some_and(|partial| partial.missing > 0 || partial.fin) {
                match self.continue_frame(input, pauses.now())? {
                    Progress::Message(message) => return Ok(Some(message)),
                    Progress::FrameDone => continue,
                    Progress::Incomplete => return Ok(None),
                }
            }
            let Some(header) = frame::decode_header(input, role, deflate)? else { return Ok(None) };
            let available = (input.len() - header.length) as u64;
            let in_one_piece = self.partial.is_none() && header.fin && header.payload <= available;
            let is_data = matches!(header.opcode, Opcode::Text | Opcode::Binary);
            if in_one_piece && is_data && !header.compressed && header.payload <= limits.max_message_bytes as u64 {
                let payload = take(input, header.length + header.payload as usize, &header);
                return data(header.opcode, payload).map(Some);
            }
            if header.opcode.is_control() {
                let whole = header.length + header.payload as usize;
                if input.len() < whole {
                    return Ok(None);
                }
                let is_within_rate = self.control.spend(limits.max_control_frames_per_second, pauses)?;
                let payload = take(input, whole, &header);
                if header.opcode == Opcode::Ping && !is_within_rate {
                    continue;
                }
                return control(header.opcode, payload).map(Some);
            }
            self.check(&header, role, limits, pauses)?;
            if in_one_piece {
                // Only a compressed message gets here.
                let text = header.opcode == Opcode::Text;
                let payload = take(input, header.length + header.payload as usize, &header);
                return Ok(Some(Incoming::Compressed { text, payload: Cow::Borrowed(payload) }));
            }
            self.begin_frame(&header, pauses.now());
            split(input, header.length);
        }
    }

    /// Checks the limits from the header alone, before any memory is allocated for the payload.
    // Not inlined, so that whole messages, which do not need it, cost less.
    #[inline(never)]
    fn check(&self, header: &Header, role: Role, limits: &MessageLimits, pauses: &ReadPauses) -> Result<(), Violation> {
        let so_far = match (&self.partial, header.opcode) {
            (None, Opcode::Continuation) => return Err(Violation::protocol("there is no message to continue")),
            (Some(partial), Opcode::Continuation) => {
                if partial.fragments >= limits.max_fragments {
                    let reason = format!("a message has at most {} fragments", limits.max_fragments);
                    return Err(Violation::new(CloseCode::PolicyViolation, reason));
                }
                if pauses.now() > partial.deadline(limits, pauses.since()) {
                    return Err(Violation::partial_timeout());
                }
                partial.bytes.len()
            }
            (Some(_), _) => return Err(Violation::protocol("a new message began inside a fragmented one")),
            (None, _) => 0,
        };
        let mut most = limits.max_message_bytes;
        if header.compressed || self.partial.as_ref().is_some_and(|partial| partial.compressed) {
            // Incompressible data grows when it is compressed: by 5 bytes in 16 KiB with the common implementations.
            most = most.saturating_add(most / 1024 + 64);
        }
        if header.payload > most.saturating_sub(so_far) as u64 {
            return Err(Violation::too_big(role.name(), limits.max_message_bytes));
        }
        Ok(())
    }

    fn begin_frame(&mut self, header: &Header, now: Time) {
        let partial = self.partial.get_or_insert_with(|| {
            Box::new(Partial {
                text: header.opcode == Opcode::Text,
                compressed: header.compressed,
                bytes: Vec::new(),
                checked: 0,
                fragments: 0,
                started: now,
                progressed: now,
                missing: 0,
                key: None,
                offset: 0,
                fin: false,
            })
        });
        partial.fragments += 1;
        partial.progressed = now;
        partial.missing = header.payload;
        partial.key = header.mask;
        partial.offset = 0;
        partial.fin = header.fin;
    }

    fn continue_frame<'a>(&mut self, input: &mut &'a mut [u8], now: Time) -> Result<Progress<'a>, Violation> {
        let Some(partial) = &mut self.partial else { return Ok(Progress::FrameDone) };
        let length = input.len().min(usize::try_from(partial.missing).unwrap_or(usize::MAX));
        let piece = split(input, length);
        if length > 0 {
            partial.progressed = now;
        }
        if let Some(key) = partial.key {
            frame::mask(piece, key, partial.offset);
        }
        // Memory grows with the bytes received, not with the announced length, which costs the sender nothing.
        partial.bytes.extend_from_slice(piece);
        partial.offset += length;
        partial.missing -= length as u64;
        let finished = partial.missing == 0 && partial.fin;
        if partial.text && !partial.compressed {
            partial.check_utf8(finished)?;
        }
        if partial.missing > 0 {
            return Ok(Progress::Incomplete);
        }
        if !finished {
            return Ok(Progress::FrameDone);
        }
        let Some(partial) = self.partial.take() else { return Ok(Progress::FrameDone) };
        Ok(Progress::Message(if partial.compressed {
            Incoming::Compressed { text: partial.text, payload: Cow::Owned(partial.bytes) }
        } else if partial.text {
            let text = String::from_utf8(partial.bytes).map_err(|_| Violation::not_utf8())?;
            Incoming::Text(Cow::Owned(text))
        } else {
            Incoming::Binary(Cow::Owned(partial.bytes))
        }))
    }
}

enum Progress<'a> {
    Message(Incoming<'a>),
    FrameDone,
    Incomplete,
}

impl Partial {
    /// Returns when more of it must have arrived: a byte within the stall timeout, and on average the minimum rate after
    /// the first stall timeout. The average alone would let a sender stop, and the stall timeout alone would let it send
    /// a byte at a time.
    fn deadline(&self, limits: &MessageLimits, since: Time) -> Time {
        let stalled = self.progressed.max(since) + limits.stall_timeout;
        let bytes = Duration::from_secs(self.bytes.len() as u64);
        match bytes.checked_div(limits.min_bytes_per_second) {
            Some(credit) => stalled.min(self.started.max(since) + limits.stall_timeout + credit),
            None => stalled,
        }
    }

    /// Fails as soon as the text cannot become valid UTF-8, not only at its end (RFC 6455 section 8.1).
    fn check_utf8(&mut self, finished: bool) -> Result<(), Violation> {
        match simdutf8::compat::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_none() && !finished => self.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::not_utf8()),
        }
        Ok(())
    }
}

/// The rate at which control frames are a flood, as a multiple of the rate at which pings are answered.
const FLOOD: u32 = 10;

/// A leaky bucket that limits control frames: by default, pings are answered up to 50 per second after a burst of 100.
/// A frame beyond that takes only a part of the room in it, so that it overflows at the rate of a flood.
#[derive(Debug, Default)]
struct ControlBudget {
    /// When the bucket is empty again.
    empty_at: Time,
}

impl ControlBudget {
    /// Counts a control frame, and returns whether it is within the rate.
    #[inline(never)]
    fn spend(&mut self, rate: u32, pauses: &ReadPauses) -> Result<bool, Violation> {
        let flood = || Violation::new(CloseCode::PolicyViolation, "too many control frames");
        // Whole microseconds, as times have, and rounded up: otherwise more are answered in the long run.
        let each = match rate {
            0 => return Err(flood()),
            rate => Duration::from_micros(1_000_000_u64.div_ceil(u64::from(rate))),
        };
        let burst = each * rate.saturating_mul(2);
        // Frames that arrived while reading was paused were not sent at once.
        let empty_at = self.empty_at.max(pauses.earliest());
        let is_within_rate = (empty_at + each) - pauses.now() <= burst;
        self.empty_at = empty_at + if is_within_rate { each } else { each / FLOOD };
        if self.empty_at - pauses.now() > 2 * burst { Err(flood()) } else { Ok(is_within_rate) }
    }
}

/// Splits the first `whole` bytes off `input` and returns the payload in them, unmasked in place.
fn take<'a>(input: &mut &'a mut [u8], whole: usize, header: &Header) -> &'a [u8] {
    let payload = &mut split(input, whole)[header.length..];
    if let Some(key) = header.mask {
        frame::mask(payload, key, 0);
    }
    payload
}

/// Splits the first `length` bytes off `input`.
fn split<'a>(input: &mut &'a mut [u8], length: usize) -> &'a mut [u8] {
    let (first, rest) = std::mem::take(input).split_at_mut(length);
    *input = rest;
    first
}

// As with `decode_header`, returning the result through memory costs more than the work itself.
#[inline(always)]
fn data(opcode: Opcode, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    if opcode == Opcode::Binary {
        return Ok(Incoming::Binary(Cow::Borrowed(payload)));
    }
    let text = simdutf8::basic::from_utf8(payload).map_err(|_| Violation::not_utf8())?;
    Ok(Incoming::Text(Cow::Borrowed(text)))
}

fn control(opcode: Opcode, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    match opcode {
        Opcode::Ping => return Ok(Incoming::Ping(payload)),
        Opcode::Pong => return Ok(Incoming::Pong(payload)),
        _ => {}
    }
    match payload {
        [] => Ok(Incoming::Close(CloseCode::NoStatus, "")),
        [_] => Err(Violation::protocol("a close frame has no payload or at least a code")),
        [high, low, reason @ ..] => {
            let code = CloseCode::from(u16::from_be_bytes([*high, *low]));
            if !code.is_sendable() {
                return Err(Violation::protocol("the close code may not be sent"));
            }
            let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Violation::not_utf8())?;
            Ok(Incoming::Close(code, reason))
        }
    }
}
