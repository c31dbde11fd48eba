//! A bounded queue between two threads in which the newest wins, with buffers that travel back.
//!
//! The sender never waits for a slow receiver: the oldest waiting value is overtaken and its buffer serves again. In a
//! lossless queue it waits instead. Everything that is sent is received, overtaken or still waiting, and no buffer is
//! made after the queue itself.

use std::sync::{Arc, Weak};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// The end at which values are sent.
pub(crate) struct LatestTx<T> {
    queue: Sender<Box<T>>,
    /// The other end of the queue, where the oldest value makes room; none in a lossless queue.
    oldest: Option<Receiver<Box<T>>>,
    returned: Receiver<Box<T>>,
    /// The buffer of an overtaken value.
    spare: Option<Box<T>>,
    /// Dangles when the receiver is gone: this end holds the queue open itself.
    receiver: Weak<()>,
}

/// The end at which values are received.
pub(crate) struct LatestRx<T> {
    queue: Receiver<Box<T>>,
    returned: Sender<Box<T>>,
    _alive: Arc<()>,
}

/// The fate of a value that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It waits for the receiver.
    Waits,
    /// It waits, and the oldest value before it will not be received.
    Overtook,
    /// The receiver is gone.
    Closed,
}

/// Makes a queue in which `capacity` values may wait, and of which the receiver holds `held` at most, in buffers that are
/// made by `buffer`. Where it is `lossless`, the sender waits for the receiver.
pub(crate) fn latest<T>(
    capacity: usize,
    held: usize,
    lossless: bool,
    buffer: impl Fn() -> T,
) -> (LatestTx<T>, LatestRx<T>) {
    let (queue, waiting) = bounded(capacity);
    // beside the queue and the receiver's hands, one is in the sender's
    let buffers = capacity + held + 1;
    let (give_back, returned) = bounded(buffers);
    for _ in 0..buffers {
        // there is room for all
        let _ = give_back.try_send(Box::new(buffer()));
    }
    let oldest = (!lossless).then(|| waiting.clone());
    let alive = Arc::new(());
    let receiver = Arc::downgrade(&alive);
    let tx = LatestTx { queue, oldest, returned, spare: None, receiver };
    (tx, LatestRx { queue: waiting, returned: give_back, _alive: alive })
}

impl<T> LatestTx<T> {
    /// Sends the value that `fill` writes into a buffer, which holds an earlier value or a blank one.
    pub(crate) fn send(&mut self, fill: impl FnOnce(&mut T)) -> Sent {
        if self.receiver.strong_count() == 0 {
            return Sent::Closed;
        }
        // a receiver that holds no more than agreed leaves a buffer here, unless the queue is lossless and full
        let Some(mut value) = self.spare.take().or_else(|| self.returned.recv().ok()) else { return Sent::Closed };
        fill(&mut value);
        let Some(oldest) = &self.oldest else {
            return if self.queue.send(value).is_ok() { Sent::Waits } else { Sent::Closed };
        };
        match self.queue.try_send(value) {
            Ok(()) => Sent::Waits,
            Err(TrySendError::Disconnected(_)) => Sent::Closed,
            Err(TrySendError::Full(value)) => {
                self.spare = oldest.try_recv().ok();
                // this is the only sender, so there is room now
                match self.queue.try_send(value) {
                    Err(_) => Sent::Closed,
                    Ok(()) if self.spare.is_some() => Sent::Overtook,
                    Ok(()) => Sent::Waits,
                }
            }
        }
    }
}

impl<T> LatestRx<T> {
    /// The waiting values, the oldest first; disconnected when the sender is gone and none waits. No more are to be held at
    /// a time than was agreed.
    pub(crate) fn values(&self) -> &Receiver<Box<T>> {
        &self.queue
    }

    /// Gives the buffer of a value back to the sender.
    pub(crate) fn give_back(&self, value: Box<T>) {
        // it fails only where the sender is gone
        let _ = self.returned.try_send(value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use super::*;

    /// A value that knows how many of its kind are alive.
    struct Counted {
        number: u64,
        alive: Arc<AtomicUsize>,
    }

    impl Counted {
        fn new(alive: &Arc<AtomicUsize>) -> Self {
            alive.fetch_add(1, Ordering::SeqCst);
            Self { number: 0, alive: Arc::clone(alive) }
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.alive.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Send,
        /// Takes one value, or gives back the one that was taken.
        Receive,
    }

    proptest! {
        /// Whatever the two ends do: the newest values wait, each in its turn, the others are counted, and the buffers
        /// are as many as at the beginning.
        #[test]
        fn the_newest_win_and_all_are_accounted_for(
            capacity in 1_usize..6,
            steps in prop::collection::vec(prop_oneof![2 => Just(Step::Send), 1 => Just(Step::Receive)], 0..200),
        ) {
            let alive = Arc::default();
            let (mut tx, rx) = latest(capacity, 1, false, || Counted::new(&alive));
            let (mut sent, mut overtaken, mut received) = (0_u64, 0_u64, Vec::new());
            let mut held: Option<Box<Counted>> = None;
            for step in steps {
                match step {
                    Step::Send => {
                        let full = rx.values().len() == capacity;
                        let fate = tx.send(|value| value.number = sent);
                        prop_assert_eq!(fate, if full { Sent::Overtook } else { Sent::Waits });
                        sent += 1;
                        overtaken += u64::from(full);
                    }
                    Step::Receive => match held.take() {
                        Some(value) => rx.give_back(value),
                        None => held = rx.values().try_recv().ok(),
                    },
                }
                if let (Step::Receive, Some(value)) = (step, &held) {
                    received.push(value.number);
                }
                let waiting = rx.values().len() as u64;
                prop_assert_eq!(sent, received.len() as u64 + overtaken + waiting);
                prop_assert_eq!(alive.load(Ordering::SeqCst), capacity + 2);
            }
            prop_assert!(received.is_sorted());
            // what waits in the end are the newest
            let waiting: Vec<u64> = rx.values().try_iter().map(|value| value.number).collect();
            prop_assert_eq!(&waiting, &(sent - waiting.len() as u64..sent).collect::<Vec<_>>());
            drop((tx, rx, held));
            prop_assert_eq!(alive.load(Ordering::SeqCst), 0);
        }

        #[test]
        fn a_lossless_queue_waits_and_loses_nothing(capacity in 1_usize..6, count in 0_u64..200) {
            let (mut tx, rx) = latest(capacity, 1, true, || 0);
            let sender = std::thread::spawn(move || (0..count).all(|number| tx.send(|value| *value = number) == Sent::Waits));
            let mut received = Vec::new();
            while let Ok(value) = rx.values().recv() {
                received.push(*value);
                rx.give_back(value);
            }
            prop_assert!(sender.join().unwrap());
            prop_assert_eq!(received, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_queue_without_receiver_is_closed() {
        for lossless in [false, true] {
            let (mut tx, rx) = latest(1, 1, lossless, || 0);
            drop(rx);
            assert_eq!(tx.send(|value| *value = 1), Sent::Closed);
        }
    }
}
