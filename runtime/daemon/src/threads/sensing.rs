//! The sensing thread: reads samples, makes them continuous, conditions them and cuts windows.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::os::stop::Stop;
use crate::repeated_faults::Repeated;
use crate::stream::counters::Live;
use crate::threads::observers::{Audience, Traces};
use gaitd_api::SourceState;
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample, StreamFormat};
use gaitd_core::window::{Intake, Window};
use gaitd_sense::{SenseError, Source};

/// How often a source that gives nothing is left, to see whether the run is asked to stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

pub(crate) struct Sensing {
    source: Box<dyn Source>,
    intake: Intake,
    clock: Arc<dyn Clock>,
    stop: Stop,
    live: Arc<Live>,
    traces: Option<Traces>,
    faults: Repeated,
}

/// Where complete windows go, and their buffers come from.
pub(crate) struct Windows {
    pub(crate) queue: Sender<Box<Window>>,
    /// The other end of the queue, where a window that still waits is replaced by a newer one; elsewhere the source
    /// waits.
    pub(crate) overtaken: Option<Receiver<Box<Window>>>,
    pub(crate) recycled: Receiver<Box<Window>>,
}

impl Sensing {
    pub(crate) fn new(
        source: Box<dyn Source>,
        intake: Intake,
        clock: Arc<dyn Clock>,
        stop: Stop,
        live: Arc<Live>,
        audience: Option<Arc<dyn Audience>>,
        format: &StreamFormat,
    ) -> Self {
        let traces = audience.map(|audience| Traces::new(audience, format.clone()));
        Self { source, intake, clock, stop, live, traces, faults: Repeated::default() }
    }

    /// Sends windows until the source ends, fails or is asked to stop; returns its failure.
    pub(crate) fn follow(mut self, windows: &Windows) -> Option<SenseError> {
        let failure = self.read_all(windows);
        self.live.source.set(SourceState::Ended, failure.as_ref().map(ToString::to_string));
        failure
    }

    fn read_all(&mut self, windows: &Windows) -> Option<SenseError> {
        let mut sample = Sample { time_s: None, values: vec![0.0; self.intake.channels()] };
        let (mut produced, mut dropped) = (0, 0);
        let mut latest = None;
        let mut engine_gone = false;
        // buffers that an overtaken window left here
        let mut own_spare: Option<Box<Window>> = None;
        while !self.stop.asked() && !engine_gone {
            let reading = match self.source.read(&mut sample, self.clock.now() + STOP_CHECK) {
                Ok(Reading::End) => break,
                Ok(Reading::Pending) => continue,
                Ok(reading) => reading,
                Err(error) => return Some(error),
            };
            let arrived = self.clock.now();
            match &reading {
                Reading::Malformed(text) => {
                    if let Some(count) = self.faults.occurred(arrived) {
                        log::warn!("{text} ({count} so far; counted as missing)");
                    }
                }
                Reading::Sample => {
                    latest = Some(arrived);
                    if let Some(traces) = &mut self.traces {
                        traces.push(&sample, arrived);
                    }
                }
                Reading::Interrupted | Reading::Pending | Reading::End => {}
            }
            let Self { intake, clock, .. } = self;
            intake.push(&reading, &sample, arrived, |ready| {
                produced += 1;
                let Some(mut window) = own_spare.take().or_else(|| windows.recycled.recv().ok()) else {
                    engine_gone = true;
                    return;
                };
                ready.fill(&mut window);
                window.completed = clock.now();
                let Some(overtaken) = &windows.overtaken else {
                    engine_gone = windows.queue.send(window).is_err();
                    return;
                };
                match windows.queue.try_send(window) {
                    Ok(()) => {}
                    Err(TrySendError::Disconnected(_)) => engine_gone = true,
                    Err(TrySendError::Full(window)) => {
                        if let Ok(old) = overtaken.try_recv() {
                            own_spare = Some(old);
                            dropped += 1;
                        }
                        // this thread is the only sender, so there is room now
                        engine_gone = windows.queue.try_send(window).is_err();
                    }
                }
            });
            let mut sensed = self.live.sensed();
            (sensed.stream, sensed.produced, sensed.dropped) = (self.intake.counts(), produced, dropped);
            sensed.latest = latest;
        }
        None
    }
}
