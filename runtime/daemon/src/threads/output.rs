//! The publishing thread: writes decisions and keeps the account of them.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, never, select};

use crate::account::Account;
use crate::os::stop::Stop;
use crate::publish::{LineWriter, RunHeader, Sink, SinkFault};
use crate::publish_reserve::PublishReserve;
use crate::repeated_faults::Repeated;
use crate::stream::counters::{Live, lock};
use crate::threads::decision_queue::Inbox;
use crate::threads::observers::Audience;
use gaitd_api::OutputState;
use gaitd_api::{Recognised, Summary};
use gaitd_core::clock::Clock;
use gaitd_core::engine::Decision;
use gaitd_core::ladder::Manifest;
use gaitd_sense::wearer::Truth;

/// Where decisions go, and in which form.
pub(crate) struct Destination {
    /// Where the lines go; nowhere where there is none.
    pub(crate) output: Option<Box<dyn Write + Send>>,
    /// Write readable lines; NDJSON otherwise.
    pub(crate) text: bool,
    /// What all lines have in common.
    pub(crate) header: RunHeader,
}

/// Destinations that are to take the place of the present one, each with its ladder; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Successors(Arc<Mutex<VecDeque<Destination>>>);

impl Successors {
    /// Lays one ready.
    pub(crate) fn add(&self, next: Destination) {
        lock(&self.0).push_back(next);
    }

    /// Takes the one of `manifest` away again.
    pub(crate) fn remove(&self, manifest: &Arc<Manifest>) {
        lock(&self.0).retain(|next| !Arc::ptr_eq(&next.header.manifest, manifest));
    }

    /// The one of `manifest`, if it is there; those before it are past.
    fn take(&self, manifest: &Arc<Manifest>) -> Option<Destination> {
        let mut successors = lock(&self.0);
        let place = successors.iter().position(|next| Arc::ptr_eq(&next.header.manifest, manifest))?;
        successors.drain(..=place).next_back()
    }
}

pub(crate) struct Publishing {
    header: RunHeader,
    account: Account,
    lines: LineWriter,
    sink: Option<Sink>,
    closed: bool,
    truth: Option<Truth>,
    steady: Recognised,
    reserve: PublishReserve,
    clock: Arc<dyn Clock>,
    live: Arc<Live>,
    audience: Option<Arc<dyn Audience>>,
    successors: Successors,
    faults: Repeated,
    error: Option<std::io::Error>,
    stop: Stop,
}

impl Publishing {
    #[expect(clippy::too_many_arguments, reason = "made in one place, where each has a name")]
    pub(crate) fn new(
        destination: Destination,
        successors: Successors,
        truth: Option<Truth>,
        reserve: PublishReserve,
        clock: Arc<dyn Clock>,
        live: Arc<Live>,
        audience: Option<Arc<dyn Audience>>,
        stop: Stop,
    ) -> Self {
        let Destination { output, text, header } = destination;
        Self {
            account: Account::new(&header),
            lines: LineWriter::new(header.clone(), text),
            header,
            sink: output.map(Sink::new),
            closed: false,
            truth,
            steady: Recognised::default(),
            reserve,
            clock,
            live,
            audience,
            successors,
            faults: Repeated::default(),
            error: None,
            stop,
        }
    }

    /// Writes decisions until their sender is gone. `succeed` tells whose ladder's engine has taken over: what comes
    /// from here on is for its destination.
    pub(crate) fn follow(mut self, inbox: &Inbox, succeed: &Receiver<Arc<Manifest>>) -> Self {
        // a panic in here must end the run, not leave it deciding for nobody
        let _stop_when_done = StopOnDrop(self.stop.clone());
        self.greet();
        let mut succeed = succeed.clone();
        loop {
            select! {
                recv(inbox.decisions()) -> decision => {
                    let Ok(decision) = decision else { break };
                    self.take(decision, inbox);
                }
                recv(succeed) -> told => match told {
                    Ok(manifest) => {
                        // the engine before has left nothing behind but this, which is still for the present one
                        while let Ok(decision) = inbox.decisions().try_recv() {
                            self.take(decision, inbox);
                        }
                        self.succeed(&manifest);
                    }
                    Err(_) => succeed = never(),
                }
            }
        }
        self
    }

    fn take(&mut self, decision: Box<Decision>, inbox: &Inbox) {
        // the first one of another ladder may come before the word that there is one
        if !Arc::ptr_eq(&decision.manifest, &self.header.manifest) {
            self.succeed(&decision.manifest);
        }
        self.publish(&decision);
        inbox.give_back(decision);
    }

    /// Goes over to the destination of the ladder of `manifest`, unless that has happened.
    fn succeed(&mut self, manifest: &Arc<Manifest>) {
        let Some(Destination { output, text, header }) = self.successors.take(manifest) else { return };
        self.lines.change(header.clone(), text);
        self.header = header;
        self.sink = output.map(Sink::new);
        self.error = None;
        let state = if self.sink.is_some() { OutputState::Writing } else { OutputState::None };
        let mut output = self.live.output();
        (output.state, output.detail) = (state, None);
        drop(output);
        self.greet();
    }

    fn greet(&mut self) {
        let outcome = match (self.lines.greeting(), &mut self.sink) {
            (Ok(greeting), Some(sink)) => sink.write(greeting),
            _ => return,
        };
        self.note(outcome);
    }

    fn publish(&mut self, decision: &Decision) {
        self.account.decided(decision);
        let (first, last) = decision.samples;
        if let Some(activity) = self.truth.as_mut().and_then(|truth| truth.steady(first, last)) {
            self.steady.windows += 1;
            self.steady.right += u64::from(activity.name() == decision.label());
        }
        if self.closed {
            self.live.lost.count();
            return;
        }
        let outcome = match &mut self.sink {
            None => Ok(()),
            Some(sink) => match self.lines.decision(decision, self.clock.now()) {
                Ok(line) => sink.write(line),
                Err(error) => Err(SinkFault::Lost(error)),
            },
        };
        if self.note(outcome) {
            let now = self.clock.now();
            self.live.published.count();
            if self.account.published(decision, now) {
                self.live.misses.count();
            }
            self.reserve.observe(now.saturating_sub(decision.decided));
            if let Some(audience) = &self.audience {
                audience.published(decision, now);
            }
        } else {
            self.live.lost.count();
        }
    }

    /// Notes what became of a line; true when it was written.
    fn note(&mut self, outcome: Result<(), SinkFault>) -> bool {
        match outcome {
            Ok(()) => {
                if self.error.take().is_some() {
                    log::info!("the output can be written again");
                    let mut output = self.live.output();
                    (output.state, output.detail) = (OutputState::Writing, None);
                }
                return true;
            }
            Err(SinkFault::Closed) => {
                log::info!("the reader of the output has closed it; stopping");
                self.closed = true;
                self.stop.ask();
            }
            Err(SinkFault::Lost(error)) => {
                let problem = format!("the output cannot be written: {error}");
                if let Some(count) = self.faults.occurred(self.clock.now()) {
                    log::error!("{problem}; {count} decisions lost so far, still trying");
                }
                let mut output = self.live.output();
                (output.state, output.detail) = (OutputState::Failing, Some(problem));
                self.error = Some(error);
            }
        }
        false
    }

    /// The account of what was published.
    pub(crate) fn summary(&self) -> Summary {
        let mut summary = self.account.summary(&self.header);
        summary.steady = self.truth.as_ref().map(|_| self.steady);
        summary
    }

    /// Writes the end of the run behind its decisions.
    pub(crate) fn write_summary(&mut self, summary: &Summary) {
        if self.closed {
            return;
        }
        let outcome = match (self.lines.summary(summary), &mut self.sink) {
            (Ok(lines), Some(sink)) => sink.write(lines),
            _ => return,
        };
        self.note(outcome);
    }

    /// The last error of an output that still loses decisions.
    pub(crate) fn into_error(self) -> Option<std::io::Error> {
        self.error
    }
}

struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.ask();
    }
}
