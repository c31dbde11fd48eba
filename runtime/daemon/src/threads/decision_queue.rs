//! The ways of a decision from the engine to those who publish it.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::stream::counters::Live;
use gaitd_core::engine::Decision;

/// Decisions that may wait for a slow publisher before the oldest one is lost.
const QUEUE: usize = 64;

/// The engine's end of one way to a publisher.
pub(crate) struct Lane {
    queue: Sender<Box<Decision>>,
    /// The other end of the queue, where the oldest decision makes room.
    overtaken: Option<Receiver<Box<Decision>>>,
    recycled: Receiver<Box<Decision>>,
    /// A buffer that an overtaken decision left here.
    own_spare: Option<Box<Decision>>,
    /// Where overtaken decisions are counted, if anywhere.
    account: Option<Arc<Live>>,
}

/// The publisher's end.
pub(crate) struct Inbox {
    decisions: Receiver<Box<Decision>>,
    spare: Sender<Box<Decision>>,
}

/// Makes a way with buffers like `blank`. The engine is never blocked by a slow publisher: the oldest waiting decision
/// is lost instead, unless the source can wait (`lossless`); it is counted in `account`.
pub(crate) fn lane(blank: &Decision, lossless: bool, account: Option<Arc<Live>>) -> (Lane, Inbox) {
    let (queue, decisions) = bounded(QUEUE);
    // beside the queue, one decision in the engine's hands and one in the publisher's
    let (spare, recycled) = bounded(QUEUE + 2);
    for _ in 0..QUEUE + 2 {
        let _ = spare.send(Box::new(blank.clone()));
    }
    let overtaken = (!lossless).then(|| decisions.clone());
    (Lane { queue, overtaken, recycled, own_spare: None, account }, Inbox { decisions, spare })
}

impl Lane {
    /// Sends a copy of `decision`; false when the publisher is gone.
    pub(crate) fn send(&mut self, decision: &Decision) -> bool {
        let Some(mut copy) = self.own_spare.take().or_else(|| self.recycled.recv().ok()) else { return false };
        copy.copy_from(decision);
        let Some(overtaken) = &self.overtaken else {
            return self.queue.send(copy).is_ok();
        };
        match self.queue.try_send(copy) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(copy)) => {
                self.own_spare = overtaken.try_recv().ok();
                if let Some(account) = self.account.as_ref().filter(|_| self.own_spare.is_some()) {
                    account.lost.count();
                }
                // the engine is the only sender, so there is room now
                self.queue.try_send(copy).is_ok()
            }
        }
    }
}

impl Inbox {
    /// The waiting decisions.
    pub(crate) fn decisions(&self) -> &Receiver<Box<Decision>> {
        &self.decisions
    }

    /// Gives a buffer back.
    pub(crate) fn give_back(&self, decision: Box<Decision>) {
        // full or gone only when the run is over
        let _ = self.spare.try_send(decision);
    }
}
