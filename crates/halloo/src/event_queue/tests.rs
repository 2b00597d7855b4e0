use super::batch::MAX_EVENTS_PER_BATCH as BATCH;
use super::*;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;

impl PayloadSize for usize {
    fn payload_bytes(&self) -> usize {
        *self
    }
}

fn queue(max_events: usize, max_bytes: usize) -> EventQueue<VecDeque<usize>> {
    EventQueue::new(EventQueueLimits { max_events, max_bytes })
}

fn push(queue: &EventQueue<VecDeque<usize>>, event: usize, count: usize) -> bool {
    (0..count).map(|_| queue.push(&mut [event].into()).paused).last().unwrap_or_default()
}

fn next_now(queue: &EventQueue<VecDeque<usize>>) -> Dequeued<usize> {
    queue.next(Some(Instant::now()))
}

#[test]
fn producer_pauses_when_full_and_resumes_when_half_empty() {
    for (queue, payload) in [(queue(4 * BATCH, usize::MAX), 1), (queue(usize::MAX, 4 * BATCH * 10), 10)] {
        assert!(!push(&queue, payload, 4 * BATCH - 1));
        assert!(push(&queue, payload, 1));
        assert_eq!(queue.len(), 4 * BATCH);
        let resumed: Vec<usize> = (0..4 * BATCH).filter(|_| next_now(&queue).resume).collect();
        assert_eq!(resumed, [2 * BATCH - 1], "once, when the second batch was taken and half of them are left");
        assert!(next_now(&queue).event.is_none());
    }
}

#[test]
fn push_to_full_queue_does_not_end_the_pause() {
    let queue = queue(4 * BATCH, usize::MAX);
    assert!(push(&queue, 1, 4 * BATCH));
    (0..BATCH).for_each(|_| assert!(!next_now(&queue).resume));
    assert!(push(&queue, 1, 1), "it is not half empty yet");
    assert_eq!((0..3 * BATCH + 1).filter(|_| next_now(&queue).resume).count(), 1);
    assert!(!push(&queue, 1, 1), "the pause is over");
}

#[test]
fn limits_include_what_the_application_is_in_the_middle_of() {
    let queue = queue(usize::MAX, 1000);
    let (mut paused, mut pushed, mut most) = (false, 0, 0);
    for taken in 0..2000 {
        while !paused {
            paused = push(&queue, 10, 1);
            pushed += 1;
        }
        most = most.max((pushed - taken) * 10);
        paused &= !next_now(&queue).resume;
    }
    assert_eq!(most, 1000, "bytes that the queue and the application hold together");
}

#[test]
fn batch_of_large_events_is_released_before_the_next_one_is_taken() {
    let queue = queue(usize::MAX, 16 * MAX_BATCH_BYTES);
    assert!(push(&queue, MAX_BATCH_BYTES / 2, 32));
    let resumed: Vec<usize> = (0..32).filter(|_| next_now(&queue).resume).collect();
    assert_eq!(resumed, [15], "batches of two");
}

#[test]
fn watching_producer_is_woken_once_and_learns_what_was_taken() {
    let queue = queue(usize::MAX, usize::MAX);
    assert_eq!(queue.push(&mut [1, 1].into()), Progress { paused: false, released: 0 });
    assert!(!next_now(&queue).resume && !next_now(&queue).resume, "it does not watch");
    assert_eq!(queue.progress(true).released, 2);
    queue.push(&mut [1, 1].into());
    assert_eq!([next_now(&queue).resume, next_now(&queue).resume], [false, true]);
    push(&queue, 1, 1);
    assert!(!next_now(&queue).resume);
    assert_eq!(queue.progress(false).released, 5);
}

#[test]
fn wait_returns_while_the_inbox_has_events() {
    let queue = queue(10, 10);
    push(&queue, 1, 2);
    assert!(next_now(&queue).event.is_some());
    assert!(queue.wait(Some(Instant::now())), "the second event is in the inbox");
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(queue.poll_next(&mut context), Poll::Ready(Dequeued { event: Some(1), .. })));
    assert!(queue.poll_next(&mut context).is_pending());
}

#[test]
fn is_mid_batch_until_last_event_is_taken() {
    let queue = queue(usize::MAX, usize::MAX);
    push(&queue, 1, 3);
    let mid_batch: Vec<bool> = (0..4).map(|_| (next_now(&queue), queue.is_mid_batch()).1).collect();
    assert_eq!(mid_batch, [true, true, false, false]);
}

#[test]
fn len_includes_events_in_the_inbox() {
    let queue = queue(usize::MAX, usize::MAX);
    push(&queue, 1, 2 * BATCH);
    for left in (0..2 * BATCH).rev() {
        assert!(next_now(&queue).event.is_some());
        assert_eq!(queue.len(), left);
    }
}

#[test]
fn blocked_next_does_not_block_other_callers() {
    let queue = Arc::new(queue(10, 10));
    let waiting = {
        let queue = Arc::clone(&queue);
        std::thread::spawn(move || queue.next(None).event)
    };
    // Returns immediately, whether or not the other thread already waits.
    for _ in 0..1000 {
        assert!(next_now(&queue).event.is_none());
    }
    push(&queue, 7, 1);
    assert_eq!(waiting.join().unwrap(), Some(7));
}

struct WakeCount(AtomicUsize);

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "Miri gives copies of a waker other addresses of its functions, so that they do not compare equal"
)]
fn close_wakes_each_waiting_task_once() {
    let queue = queue(10, 10);
    let counts: Vec<Arc<WakeCount>> = (0..2).map(|_| Arc::new(WakeCount(AtomicUsize::new(0)))).collect();
    for count in &counts {
        let waker = Waker::from(Arc::clone(count));
        for _ in 0..3 {
            assert!(queue.poll_next(&mut Context::from_waker(&waker)).is_pending());
        }
    }
    queue.close();
    for count in &counts {
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        let waker = Waker::from(Arc::clone(count));
        assert!(matches!(queue.poll_next(&mut Context::from_waker(&waker)), Poll::Ready(Dequeued { event: None, .. })));
    }
}
