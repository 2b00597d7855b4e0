//! Models of the event queue: one thread adds events, others take them. None is lost, and no thread waits although there
//! is something for it.

use std::collections::VecDeque;

use halloo_loom::model;
use halloo_proto::limits::EventQueueLimits;
use loom::future::block_on;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use product::event::{ClientId, Event, Message};
use product::event_queue::{EventQueue, PayloadSize};

/// The modules of the product, which are private there.
#[path = "../../crates/halloo/src"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "the models need a part of them")]
mod product {
    pub(crate) mod event;
    pub(crate) mod event_queue;
}

#[path = "../../crates/halloo/src/cluster_status.rs"]
#[allow(dead_code, unused_imports, reason = "the models need a part of it")]
mod cluster_status;

/// The locks of loom, in place of those of the standard library.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}

type Queue = EventQueue<VecDeque<Number>>;

/// An event of one byte.
#[derive(Debug, PartialEq, Eq)]
struct Number(u32);

impl PayloadSize for Number {
    fn payload_bytes(&self) -> usize {
        1
    }
}

fn main() {
    model("a blocked thread gets every event in order", || events_arrive_in_order(take_blocking));
    model("an awaiting task gets every event in order", || events_arrive_in_order(take_awaiting));
    model("a blocked thread learns that the queue is closed", || waiting_ends(take_blocking));
    model("an awaiting task learns that the queue is closed", || waiting_ends(take_awaiting));
    model("two threads take each event once", each_event_is_taken_once);
    model("a paused producer is resumed", || producer_continues(2, Queue::is_paused));
    model("a watching producer is woken", || producer_continues(usize::MAX, Queue::is_unreleased));
    model("the number of events is exact at rest", length_is_exact);
}

fn queue(max_events: usize) -> Arc<Queue> {
    Arc::new(EventQueue::new(EventQueueLimits { max_events, max_bytes: usize::MAX }))
}

fn push(queue: &Queue, numbers: impl IntoIterator<Item = u32>) {
    queue.push(&mut numbers.into_iter().map(Number).collect());
}

fn take_blocking(queue: &Queue) -> Option<u32> {
    queue.next(None).event.map(|number| number.0)
}

fn take_awaiting(queue: &Queue) -> Option<u32> {
    block_on(std::future::poll_fn(|context| queue.poll_next(context))).event.map(|number| number.0)
}

/// Loom reports a thread that waits forever as a deadlock.
fn events_arrive_in_order(take: fn(&Queue) -> Option<u32>) {
    let queue = queue(usize::MAX);
    let producer = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || {
            push(&queue, [1]);
            push(&queue, [2, 3]);
        })
    };
    // Closing the queue would wake the thread as well.
    assert_eq!([take(&queue), take(&queue), take(&queue)], [Some(1), Some(2), Some(3)]);
    producer.join().unwrap();
}

fn waiting_ends(take: fn(&Queue) -> Option<u32>) {
    let queue = queue(usize::MAX);
    let producer = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || queue.close())
    };
    assert_eq!(take(&queue), None);
    producer.join().unwrap();
}

fn each_event_is_taken_once() {
    let queue = queue(usize::MAX);
    let consumer = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || std::iter::from_fn(|| take_blocking(&queue)).collect::<Vec<u32>>())
    };
    let producer = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || {
            push(&queue, [1, 2]);
            queue.close();
        })
    };
    let mut taken: Vec<u32> = std::iter::from_fn(|| take_blocking(&queue)).collect();
    taken.extend(consumer.join().unwrap());
    taken.sort_unstable();
    assert_eq!(taken, [1, 2]);
    producer.join().unwrap();
}

impl Queue {
    fn is_paused(&self) -> bool {
        self.progress(false).paused
    }

    /// Watches the queue, as a producer does that has to read from one client again.
    fn is_unreleased(&self) -> bool {
        self.progress(true).released == 0
    }
}

/// A producer that sleeps while `must_wait`, until the application tells it to resume.
fn producer_continues(max_events: usize, must_wait: fn(&Queue) -> bool) {
    let queue = queue(max_events);
    let resumed = Arc::new((Mutex::new(false), Condvar::new()));
    push(&queue, [1, 2]);
    let producer = {
        let (queue, resumed) = (Arc::clone(&queue), Arc::clone(&resumed));
        thread::spawn(move || {
            while must_wait(&queue) {
                let mut flag = resumed.0.lock().unwrap();
                while !std::mem::take(&mut *flag) {
                    flag = resumed.1.wait(flag).unwrap();
                }
            }
            push(&queue, [3]);
            queue.close();
        })
    };
    let mut taken = Vec::new();
    loop {
        let dequeued = queue.next(None);
        if dequeued.resume {
            *resumed.0.lock().unwrap() = true;
            resumed.1.notify_one();
        }
        let Some(Number(number)) = dequeued.event else { break };
        taken.push(number);
    }
    assert_eq!(taken, [1, 2, 3]);
    producer.join().unwrap();
}

fn length_is_exact() {
    let queue = queue(usize::MAX);
    let producer = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || push(&queue, [1, 2]))
    };
    let taken = usize::from(queue.try_next().event.is_some());
    assert!(queue.len() <= 2 - taken);
    producer.join().unwrap();
    assert_eq!(queue.len(), 2 - taken);
}
