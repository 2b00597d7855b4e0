//! One connection of a node to a broker, from its start to its end.

mod outgoing;
mod receiver;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{RequestErrorKind, Subject, Subscriber};
use futures_util::StreamExt;
use halloo::Outgoing;
use tokio::sync::{mpsc, watch};
use tokio::task::unconstrained;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::beat::Beat;
use crate::broker::{Connections, Notice};
use crate::fault::Fault;
use crate::first_attempt::First;
use crate::header::{Header, HeaderFault, Kind};
use crate::node::Node;
use crate::random::random;
use crate::subscriptions::Subscriptions;

/// Time between two beats.
const BEAT: Duration = Duration::from_secs(1);
/// The least time between two beats, when what they say changes.
const MIN_BEAT: Duration = Duration::from_millis(100);
/// How often the time is handled.
const TICK: Duration = Duration::from_millis(100);
/// How long the subject of a room is kept without members, since some come back.
const ROOM_DELAY: Duration = Duration::from_secs(1);
/// Maximum time for the own beat to come back, by which a missing permission is noticed.
const ECHO: Duration = Duration::from_secs(3);
/// Maximum time for a node to say that a number is its own.
const ASK: Duration = Duration::from_millis(500);
/// Maximum time for the client of NATS to take a command.
const COMMAND: Duration = Duration::from_secs(2);
/// Maximum time to say goodbye.
const BYE: Duration = Duration::from_millis(300);

/// How a session ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The node or the server stops.
    Stopped,
    /// The connection ends, and whether messages were relayed before.
    Failed(Fault, bool),
}

/// What is being handed to the client of NATS.
type Publishing = Pin<Box<dyn Future<Output = Result<(), async_nats::PublishError>>>>;

/// A node with its connections.
pub(crate) struct Session<'a> {
    node: &'a mut Node,
    data: async_nats::Client,
    control: async_nats::Client,
    notices: mpsc::Receiver<Notice>,
    subscriptions: Subscriptions,
    /// The rooms by the subjects that are received.
    rooms: HashMap<Arc<str>, Arc<str>>,
    /// Rooms without members, and until when their subjects are kept.
    leaving: HashMap<Arc<str>, Instant>,
    /// When a beat was sent last, and whether it says what is so now.
    last_beat: Option<Instant>,
    beat_changed: bool,
    heard_itself: bool,
    max_payload: usize,
    publishing: Option<Publishing>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(node: &'a mut Node, connections: Connections) -> Session<'a> {
        let Connections { data, control, notices } = connections;
        let info = data.server_info();
        node.version = halloo_proto::text::escape(&info.version, 40);
        Session {
            node,
            data,
            control,
            notices,
            subscriptions: Subscriptions::default(),
            rooms: HashMap::new(),
            leaving: HashMap::new(),
            last_beat: None,
            beat_changed: true,
            heard_itself: false,
            max_payload: info.max_payload,
            publishing: None,
        }
    }

    /// Runs until the connection ends or the node stops.
    pub(crate) async fn run(mut self, mut stopped: watch::Receiver<bool>, first: &mut First) -> End {
        let beats = match self.subscribe().await {
            Ok(beats) => beats,
            Err(fault) => return End::Failed(fault, false),
        };
        match self.relay(beats, &mut stopped, first).await {
            Ok(()) => {
                let bye = self.node.announcement(Kind::Bye);
                // Best effort: without it, the others notice within 3.5 s.
                let _ = timeout(BYE, async {
                    self.data.flush().await.ok();
                    self.control.publish(nats(&self.node.subjects.beat()), bye.into()).await.ok();
                    self.control.flush().await.ok();
                })
                .await;
                End::Stopped
            }
            Err(fault) => End::Failed(fault, self.heard_itself),
        }
    }

    /// Claims a number and subscribes to everything that is for this node.
    async fn subscribe(&mut self) -> Result<Subscriber, Fault> {
        let beats = self.control.subscribe(nats(&self.node.subjects.beat()));
        let beats = beats.await.map_err(|_| self.lost("the client of NATS ended"))?;
        self.claim_number().await;
        self.receive(self.node.subjects.node(self.node.number)).await?;
        self.receive(self.node.subjects.all()).await?;
        let rooms: Vec<Arc<str>> = self.node.rooms.keys().cloned().collect();
        for room in rooms {
            self.receive_room(room).await?;
        }
        let flushed = timeout(COMMAND, self.data.flush()).await;
        flushed.map_err(|_| self.lost("the broker is too slow"))?.map_err(|_| self.lost("it ended"))?;
        Ok(beats)
    }

    /// Asks for the owner of the number of this node, and takes another one while there is one.
    async fn claim_number(&mut self) {
        for _ in 0..4 {
            let ask = self.node.announcement(Kind::Ask);
            let answer = self.data.request(nats(&self.node.subjects.node(self.node.number)), ask.into());
            match timeout(ASK, answer).await {
                // It has no receiver. Without an answer, it may be an earlier connection of this node.
                Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => return,
                Err(_) | Ok(Err(_)) => return,
                Ok(Ok(_)) => self.node.set_number(random().unwrap_or(u64::from(self.node.number))),
            }
        }
    }

    async fn receive(&mut self, subject: Arc<str>) -> Result<(), Fault> {
        if !self.subscriptions.contains(&subject) {
            // The client of NATS takes no command while the broker takes no bytes, and never again once it is disconnected.
            let subscribed = timeout(COMMAND, self.data.subscribe(nats(&subject))).await;
            let subscriber = subscribed.map_err(|_| self.lost("the broker is too slow"))?;
            self.subscriptions.insert(subject, subscriber.map_err(|_| self.lost("it ended"))?);
        }
        Ok(())
    }

    async fn receive_room(&mut self, room: Arc<str>) -> Result<(), Fault> {
        let subject = self.node.subjects.room(&room);
        self.rooms.insert(subject.clone(), room);
        self.receive(subject).await
    }

    async fn relay(
        &mut self,
        mut beats: Subscriber,
        stopped: &mut watch::Receiver<bool>,
        first: &mut First,
    ) -> Result<(), Fault> {
        let started = Instant::now();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.send_beat(Kind::Ask).await?;
        let mut messages = Vec::new();
        loop {
            let is_publishing = self.publishing.is_some();
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
                notice = self.notices.recv() => return Err(self.fault(notice)),
                beat = beats.next() => {
                    let Some(beat) = beat else { return Err(self.lost("the client of NATS ended")) };
                    self.handle_beat(&beat.payload).await?;
                    if self.heard_itself {
                        first.tell(Ok(()));
                    }
                }
                _ = ticks.tick() => {
                    if !self.heard_itself && started.elapsed() >= ECHO {
                        return Err(self.denied("what this node publishes does not come back".into()));
                    }
                    self.handle_tick().await?;
                }
                // Without the limits of the runtime, so that everything is taken that has come.
                () = unconstrained(poll_fn(|context| self.subscriptions.poll_messages(context, &mut messages))) => {
                    self.handle_messages(&mut messages);
                }
                _ = published(&mut self.publishing) => self.publishing = None,
                next = self.node.link.next(), if !is_publishing && self.heard_itself => match next {
                    Some(Outgoing::Counts { clients, rooms }) => self.handle_counts(clients, &rooms).await?,
                    Some(next) => self.publishing = self.publish(next),
                    None => return Ok(()),
                },
            }
        }
    }

    async fn handle_tick(&mut self) -> Result<(), Fault> {
        let now = Instant::now();
        let since_beat = self.last_beat.map_or(BEAT, |last| now - last);
        if since_beat >= BEAT || (self.beat_changed && since_beat >= MIN_BEAT) {
            self.send_beat(Kind::Beat).await?;
        }
        let due: Vec<Arc<str>> =
            self.leaving.iter().filter(|(_, end)| now >= **end).map(|(room, _)| room.clone()).collect();
        for room in due {
            self.leaving.remove(&room);
            let subject = self.node.subjects.room(&room);
            self.subscriptions.remove(&subject);
            self.rooms.remove(&subject);
            self.node.members.forget_subject(&subject);
        }
        if self.node.members.must_yield(self.node.number) {
            self.subscriptions.remove(&self.node.subjects.node(self.node.number));
            self.node.set_number(random().unwrap_or(u64::from(self.node.number)));
            tracing::warn!("another node has the same number, so this one continues as node {}", self.node.number);
            self.receive(self.node.subjects.node(self.node.number)).await?;
            self.beat_changed = true;
        }
        self.node.handle_timeout();
        Ok(())
    }

    async fn handle_counts(&mut self, clients: usize, rooms: &[(Arc<str>, usize)]) -> Result<(), Fault> {
        self.beat_changed |= clients != self.node.clients;
        self.node.set_counts(clients, rooms);
        for (room, members) in rooms {
            if *members == 0 {
                self.leaving.insert(Arc::clone(room), Instant::now() + ROOM_DELAY);
            } else {
                self.leaving.remove(room);
                self.receive_room(Arc::clone(room)).await?;
            }
        }
        Ok(())
    }

    async fn send_beat(&mut self, kind: Kind) -> Result<(), Fault> {
        let beat = self.node.announcement(kind);
        // Not waited for while the broker accepts nothing; the pings tell.
        if let Ok(sent) = timeout(MIN_BEAT, self.control.publish(nats(&self.node.subjects.beat()), beat.into())).await {
            sent.map_err(|_| self.lost("it ended"))?;
            self.last_beat = Some(Instant::now());
            self.beat_changed = false;
        }
        Ok(())
    }

    async fn handle_beat(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let header = match Header::decode(payload) {
            Ok(header) => header,
            Err(HeaderFault::Version(version)) => {
                self.node.handle_version(version);
                return Ok(());
            }
            Err(HeaderFault::Invalid) => return Ok(()),
        };
        if header.instance == self.node.instance {
            if let Some(sent) = self.last_beat {
                self.node.rtt = Some(sent.elapsed());
            }
            if !std::mem::replace(&mut self.heard_itself, true) {
                self.node.join();
            }
            return Ok(());
        }
        match (header.kind, Beat::decode(&payload[Header::LENGTH..])) {
            (Kind::Bye, _) => self.node.handle_bye(&header),
            (kind @ (Kind::Beat | Kind::Ask), Some(beat)) => {
                let is_new = self.node.handle_beat(&header, beat);
                // At the next tick, with what else changes until then.
                self.beat_changed |= is_new || kind == Kind::Ask;
            }
            _ => {}
        }
        Ok(())
    }

    fn fault(&self, notice: Option<Notice>) -> Fault {
        match notice {
            Some(Notice::Denied(detail)) => self.denied(detail),
            Some(Notice::Lost(detail)) => self.lost(detail),
            None => self.lost("it ended"),
        }
    }

    fn lost(&self, detail: &str) -> Fault {
        Fault::Lost { broker: self.node.broker.clone(), detail: detail.into() }
    }

    fn denied(&self, detail: String) -> Fault {
        Fault::Permission { broker: self.node.broker.clone(), detail, subjects: self.node.subjects.pattern() }
    }
}

/// Returns a subject in the form that the client of NATS takes.
fn nats(subject: &str) -> Subject {
    Subject::from(subject.to_owned())
}

/// Waits until the client of NATS has taken what is published, for ever if nothing is.
async fn published(publishing: &mut Option<Publishing>) {
    match publishing {
        // An error means that the connection ends, which is noticed elsewhere.
        Some(publishing) => drop(publishing.await),
        None => std::future::pending().await,
    }
}
