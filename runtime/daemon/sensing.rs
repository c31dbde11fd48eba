//! The sensing thread: reads samples, makes them continuous, conditions them and cuts windows.

use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::faults::Repeated;
use super::stop::Stop;
use crate::sense::{Clock, Reading, Sample, SenseError, Source, StreamCounts};
use crate::window::{Intake, Window};

/// What the sensing thread has counted so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sensed {
    /// What became of the samples.
    pub(super) stream: StreamCounts,
    /// Complete windows.
    pub(super) produced: u64,
    /// Windows overtaken by a newer one.
    pub(super) dropped: u64,
}

pub(super) struct Sensing {
    source: Box<dyn Source>,
    intake: Intake,
    clock: Arc<dyn Clock>,
    stop: Stop,
    sensed: Arc<Mutex<Sensed>>,
    faults: Repeated,
}

impl Sensing {
    pub(super) fn new(
        source: Box<dyn Source>,
        intake: Intake,
        clock: Arc<dyn Clock>,
        stop: Stop,
        sensed: Arc<Mutex<Sensed>>,
    ) -> Self {
        Self { source, intake, clock, stop, sensed, faults: Repeated::default() }
    }

    /// Sends windows until the source ends, fails or is asked to stop; returns its failure. Where `overtaken` (the
    /// other end of `windows`) is given, a window that still waits is replaced by a newer one; elsewhere the source
    /// waits.
    pub(super) fn follow(
        mut self,
        windows: &Sender<Box<Window>>,
        overtaken: Option<&Receiver<Box<Window>>>,
        recycled: &Receiver<Box<Window>>,
    ) -> Option<SenseError> {
        let mut sample = Sample { time_s: None, values: vec![0.0; self.intake.channels()] };
        let (mut produced, mut dropped) = (0, 0);
        let mut engine_gone = false;
        // buffers that an overtaken window left here
        let mut own_spare: Option<Box<Window>> = None;
        while !self.stop.asked() && !engine_gone {
            let reading = match self.source.read(&mut sample) {
                Ok(Reading::End) => break,
                Ok(reading) => reading,
                Err(error) => return Some(error),
            };
            if let Reading::Malformed(text) = &reading
                && let Some(count) = self.faults.occurred(self.clock.now())
            {
                log::warn!("{text} ({count} so far; counted as missing)");
            }
            let Self { intake, clock, .. } = &mut self;
            intake.push(&reading, &sample, clock.now(), |ready| {
                produced += 1;
                let Some(mut window) = own_spare.take().or_else(|| recycled.recv().ok()) else {
                    engine_gone = true;
                    return;
                };
                ready.fill(&mut window);
                window.completed = clock.now();
                let Some(overtaken) = overtaken else {
                    engine_gone = windows.send(window).is_err();
                    return;
                };
                match windows.try_send(window) {
                    Ok(()) => {}
                    Err(TrySendError::Disconnected(_)) => engine_gone = true,
                    Err(TrySendError::Full(window)) => {
                        if let Ok(old) = overtaken.try_recv() {
                            own_spare = Some(old);
                            dropped += 1;
                        }
                        // this thread is the only sender, so there is room now
                        engine_gone = windows.try_send(window).is_err();
                    }
                }
            });
            if let Ok(mut sensed) = self.sensed.lock() {
                *sensed = Sensed { stream: self.intake.counts(), produced, dropped };
            }
        }
        None
    }
}
