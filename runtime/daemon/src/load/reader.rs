//! A signal that is read in a thread of its own: a driver that does not answer holds up whoever reads its file.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{LogOnce, Missing};
use crate::threads::spawn;

/// Asks for readings of one signal, and waits for none longer than it may.
pub(super) struct Reader {
    /// Asks for the next reading; the thread ends when this is dropped, or when its last reading comes to its end.
    ask: Sender<()>,
    answers: Receiver<Result<f64, Missing>>,
    /// A reading is under way.
    asked: bool,
    /// It was waited for in vain.
    late: bool,
    log: LogOnce,
}

impl Reader {
    /// A reader of `signal` by `read`, in the thread `gaitd-THREAD`.
    pub(super) fn new(
        signal: &'static str,
        thread: &'static str,
        mut read: impl FnMut() -> Result<f64, Missing> + Send + 'static,
    ) -> Self {
        let (ask, asked) = bounded(1);
        let (answer, answers) = bounded(1);
        // never joined: a read may last for ever
        let spawned = spawn(thread, None, move || while asked.recv().is_ok() && answer.send(read()).is_ok() {});
        if let Err(error) = spawned {
            log::warn!("the signal \"{signal}\" is missing: cannot start a thread: {error}");
        }
        Self { ask, answers, asked: false, late: false, log: LogOnce::new(signal) }
    }

    /// Asks for a reading, unless the one before is still under way.
    pub(super) fn ask(&mut self) {
        if !self.asked {
            // it fails only where there is no thread
            self.asked = self.ask.try_send(()).is_ok();
        }
    }

    /// The reading that was asked for, where it comes by `deadline`. One that was late is not waited for again; it counts
    /// when it has come.
    pub(super) fn answer(&mut self, deadline: Instant, patience: Duration) -> Option<f64> {
        if !self.asked {
            return None;
        }
        let answer = if self.late { self.answers.try_recv().ok() } else { self.answers.recv_deadline(deadline).ok() };
        (self.asked, self.late) = (answer.is_none(), answer.is_none());
        self.log.once(answer.unwrap_or(Err(Missing::Unanswered(patience))))
    }
}
