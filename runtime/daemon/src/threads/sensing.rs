//! The sensing thread: reads samples, makes them continuous, conditions them and cuts windows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::account::RunCounters;
use crate::log_limits::RateLimitedLog;
use crate::os::stop::Stop;
use crate::stream::counters::Sensed;
use crate::stream::lead::Lead;
use crate::stream::plausible::Watch;
use crate::stream::rate::{AchievedRate, Told};
use crate::stream::wall_time::WallTime;
use crate::threads::Cpu;
use crate::threads::queue::{LatestTx, Sent};
use crate::threads::traces::Traces;
use gaitd_api::SourceState;
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample};
use gaitd_core::window::{Intake, Window};
use gaitd_sense::{SenseError, Source};

/// How often a source that gives nothing is left, to see whether the run is asked to stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// What the thread works with.
pub(crate) struct Sensing {
    /// The name of a stream that is to give at least one window before it ends.
    pub(crate) origin: Option<String>,
    pub(crate) rate: AchievedRate,
    pub(crate) wall: WallTime,
    pub(crate) source: Box<dyn Source>,
    pub(crate) intake: Intake,
    pub(crate) windows: LatestTx<Window>,
    /// Takes windows with which can be begun before they are complete.
    pub(crate) heads: LatestTx<Window>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: Stop,
    pub(crate) counters: Arc<RunCounters>,
    pub(crate) traces: Traces,
    /// Told of the first sample.
    pub(crate) flowing: Option<Sender<()>>,
}

/// The running thread.
pub(crate) struct SensingHandle {
    /// Returns why the source failed.
    pub(crate) thread: JoinHandle<Option<SenseError>>,
    /// Disconnected when the thread ends, however it ends.
    pub(crate) over: Receiver<()>,
}

impl Sensing {
    /// Starts the thread, which sends windows until the source ends or fails, or the run is asked to stop.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(self, cpu: Cpu) -> std::io::Result<SensingHandle> {
        let (running, over) = bounded(0);
        let thread = super::spawn("sense", cpu, move || {
            let _running = running;
            self.run()
        })?;
        Ok(SensingHandle { thread, over })
    }

    fn run(mut self) -> Option<SenseError> {
        let failure = self.read_all().err();
        self.counters.source.set(SourceState::Ended, failure.as_ref().map(ToString::to_string));
        failure
    }

    /// Measures the rate, and tells where samples without timestamps do not come at the one by which they are placed.
    fn note_rate(&mut self, sample: &Sample, arrived: Duration) {
        let expected_hz = self.intake.rate_hz();
        let untimed_hz = self.source.untimed_hz().or(sample.time_s.is_none().then_some(expected_hz));
        let (Some(told), Some(hz)) = (self.rate.push(sample, arrived, untimed_hz), untimed_hz) else { return };
        self.intake.set_arriving(self.rate.off_hz());
        match told {
            Told::Off(found) => log::warn!(
                "{found:.1} samples arrive per second, but without timestamps they are taken for {hz:.1} per second, so that \
                 windows span another time than they should; let the stream have a time (`t`), or state its true rate \
                 (--rate {found:.1}, `source.rate_hz`, or `# rate_hz={found:.1}` in the stream)"
            ),
            Told::Right(found) => {
                log::warn!("{found:.1} samples arrive per second, about the {hz:.1} that they are taken for")
            }
        }
    }

    fn read_all(&mut self) -> Result<(), SenseError> {
        let mut sample = Sample { time_s: None, values: vec![0.0; self.intake.channels()] };
        let mut sensed = Sensed::default();
        let mut malformed = RateLimitedLog::default();
        let findings = self.counters.findings.clone();
        let mut watch = Watch::new(findings.clone());
        let mut engine_gone = false;
        let mut lead = Lead::default();
        while !self.stop.asked() && !engine_gone {
            let reading = self.source.read(&mut sample, self.clock.now() + STOP_CHECK)?;
            let arrived = self.clock.now();
            match &reading {
                Reading::Pending => continue,
                Reading::End | Reading::Interrupted => {}
                Reading::Malformed(text) => {
                    if let Some(count) = malformed.occurred(arrived) {
                        log::warn!("{text} ({count} so far; counted as missing)");
                    }
                }
                Reading::Sample => {
                    sensed.latest = Some(arrived);
                    if let Some(flowing) = self.flowing.take() {
                        // there is room for one
                        let _ = flowing.try_send(());
                    }
                    self.note_rate(&sample, arrived);
                    sensed.rate_hz = self.rate.hz();
                    self.traces.push(&sample, arrived);
                }
            }
            let Self { intake, clock, windows, heads, wall, .. } = self;
            let missing = self.counters.missing.load(Ordering::Relaxed);
            if missing != lead.missing() {
                lead = Lead::of(missing, Duration::from_secs_f64(missing as f64 / intake.rate_hz()));
                intake.show_missing(missing);
            }
            intake.push(&reading, &sample, arrived, |ready| {
                if ready.missing() > 0 {
                    let expected = lead.shown(ready.first_sample(), arrived);
                    if let Some(expected) = expected.filter(|_| !findings.holds(ready.faults())) {
                        // where the engine has no time for it, the window is inferred when it is complete
                        heads.send(|window| {
                            ready.fill(window);
                            window.completed = expected;
                        });
                    }
                    return;
                }
                lead.completed(ready.first_sample(), arrived);
                sensed.produced += 1;
                if findings.holds(ready.faults()) {
                    sensed.held += 1;
                    return;
                }
                let sent = windows.send(|window| {
                    ready.fill(window);
                    window.faults = findings.told(window.faults);
                    window.completed = clock.now();
                    window.wall = wall.of(window, clock.as_ref());
                });
                sensed.dropped += u64::from(sent == Sent::Overtook);
                engine_gone = sent == Sent::Closed;
            });
            watch.look(self.intake.plausibility());
            (sensed.stream, sensed.delay_s) = (self.intake.counts(), self.intake.delay_s());
            *self.counters.sensed() = sensed;
            if reading == Reading::End {
                let Some(origin) = self.origin.take() else { return Ok(()) };
                if let Some(shortfall) = self.intake.shortfall() {
                    return Err(SenseError::NoWindow { origin, shortfall: Box::new(shortfall) });
                }
                if sensed.held == sensed.produced {
                    let why = findings.held_for(self.intake.plausibility());
                    return Err(SenseError::Implausible { origin, windows: sensed.held, why });
                }
                return Ok(());
            }
        }
        Ok(())
    }
}
