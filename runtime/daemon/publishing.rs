//! The publishing thread: writes decisions and keeps the account of them.

use std::io::Write;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::faults::Repeated;
use super::stop::Stop;
use crate::engine::{Decision, PublishReserve};
use crate::publish::{Account, Context, LineWriter, Recognised, Sink, SinkFault, Summary};
use crate::sense::Clock;
use crate::sense::wearer::Truth;

/// The way of a decision from the engine to the publisher. The engine is never blocked by a slow output: the oldest
/// waiting decision is lost instead, unless the source can wait.
pub(super) struct Outbox {
    queue: Sender<Box<Decision>>,
    overtaken: Option<Receiver<Box<Decision>>>,
    spare: Sender<Box<Decision>>,
}

impl Outbox {
    /// Sends into `queue`; where `overtaken` (its other end) is given, the oldest decision makes room and goes back
    /// to `spare`.
    pub(super) fn new(
        queue: Sender<Box<Decision>>,
        overtaken: Option<Receiver<Box<Decision>>>,
        spare: Sender<Box<Decision>>,
    ) -> Self {
        Self { queue, overtaken, spare }
    }

    /// Sends a decision; false when the publisher is gone.
    pub(super) fn send(&self, decision: Box<Decision>) -> bool {
        let Some(overtaken) = &self.overtaken else {
            return self.queue.send(decision).is_ok();
        };
        match self.queue.try_send(decision) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(decision)) => {
                if let Ok(oldest) = overtaken.try_recv() {
                    self.give_back(oldest);
                }
                // the engine is the only sender, so there is room now
                self.queue.try_send(decision).is_ok()
            }
        }
    }

    /// Returns an unused buffer.
    pub(super) fn give_back(&self, decision: Box<Decision>) -> bool {
        self.spare.try_send(decision).is_ok()
    }
}

pub(super) struct Publishing {
    context: Context,
    account: Account,
    lines: LineWriter,
    sink: Sink,
    closed: bool,
    truth: Option<Truth>,
    steady: Recognised,
    reserve: PublishReserve,
    clock: Arc<dyn Clock>,
    faults: Repeated,
    error: Option<std::io::Error>,
    stop: Stop,
}

impl Publishing {
    pub(super) fn new(
        context: Context,
        text: bool,
        output: Box<dyn Write + Send>,
        truth: Option<Truth>,
        reserve: PublishReserve,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Self {
        Self {
            account: Account::new(&context),
            lines: LineWriter::new(context.clone(), text),
            context,
            sink: Sink::new(output),
            closed: false,
            truth,
            steady: Recognised::default(),
            reserve,
            clock,
            faults: Repeated::default(),
            error: None,
            stop,
        }
    }

    /// Writes decisions until their sender is gone.
    pub(super) fn follow(mut self, decisions: &Receiver<Box<Decision>>, spare: &Sender<Box<Decision>>) -> Self {
        // a panic in here must end the run, not leave it deciding for nobody
        let _stop_when_done = StopOnDrop(self.stop.clone());
        if let Ok(greeting) = self.lines.greeting() {
            let outcome = self.sink.write(greeting);
            self.note(outcome);
        }
        while let Ok(decision) = decisions.recv() {
            self.publish(&decision);
            // full or gone only when the run is over
            let _ = spare.try_send(decision);
        }
        self
    }

    fn publish(&mut self, decision: &Decision) {
        self.account.decided(decision);
        let (first, last) = decision.samples;
        if let Some(activity) = self.truth.as_mut().and_then(|truth| truth.steady(first, last)) {
            self.steady.windows += 1;
            self.steady.right += u64::from(activity.name() == decision.label());
        }
        if self.closed {
            return;
        }
        let outcome = match self.lines.decision(decision, self.clock.now()) {
            Ok(line) => self.sink.write(line),
            Err(error) => Err(SinkFault::Lost(error)),
        };
        if self.note(outcome) {
            let now = self.clock.now();
            self.account.published(decision, now);
            self.reserve.observe(now.saturating_sub(decision.decided));
        }
    }

    /// Notes what became of a line; true when it was written.
    fn note(&mut self, outcome: Result<(), SinkFault>) -> bool {
        match outcome {
            Ok(()) => return true,
            Err(SinkFault::Closed) => {
                log::info!("the reader of the output has closed it; stopping");
                self.closed = true;
                self.stop.ask();
            }
            Err(SinkFault::Lost(error)) => {
                if let Some(count) = self.faults.occurred(self.clock.now()) {
                    log::error!("the output cannot be written: {error}; {count} decisions lost so far, still trying");
                }
                self.error = Some(error);
            }
        }
        false
    }

    /// The account of what was published.
    pub(super) fn summary(&self) -> Summary {
        let mut summary = self.account.summary(&self.context);
        summary.steady = self.truth.as_ref().map(|_| self.steady);
        summary
    }

    /// Writes the end of the run behind its decisions.
    pub(super) fn write_summary(&mut self, summary: &Summary) {
        if self.closed {
            return;
        }
        let outcome = match self.lines.summary(summary) {
            Ok(lines) => self.sink.write(lines),
            Err(error) => Err(SinkFault::Lost(error)),
        };
        self.note(outcome);
    }

    /// The last error of an output that lost decisions.
    pub(super) fn into_error(self) -> Option<std::io::Error> {
        self.error
    }
}

struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.ask();
    }
}
