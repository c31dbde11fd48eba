//! The load's thread: keeps the latest reading up to date until the run is over.

use std::io::PipeReader;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::latest::{INTERVAL, LatestLoad};
use super::trigger::Trigger;
use gaitd_core::clock::Clock;
use gaitd_core::control::LoadProbe;

/// The body of the thread that reads the load.
pub struct Sampling {
    probe: Box<dyn LoadProbe>,
    latest: LatestLoad,
    clock: Arc<dyn Clock>,
    rhythm: Rhythm,
    trigger: Option<Trigger>,
}

impl Sampling {
    /// Reads `probe` and keeps its reading, dated by `clock`, in `latest`.
    pub fn new(probe: Box<dyn LoadProbe>, latest: LatestLoad, clock: Arc<dyn Clock>) -> Self {
        Self { probe, latest, clock, rhythm: Rhythm::default(), trigger: Trigger::below(Path::new("/")) }
    }

    /// Keeps reading until the other end of `running` is closed.
    pub fn run(mut self, running: &PipeReader) {
        loop {
            // dated by its beginning: a reading that took long is as old as that
            let at = self.clock.now();
            self.latest.set(self.probe.read(), at);
            if !self.wait(running) {
                break;
            }
        }
    }

    /// Returns when the next reading is due (true) or the run is over (false).
    fn wait(&mut self, running: &PipeReader) -> bool {
        let read = Instant::now();
        loop {
            let (patience, trigger) = match self.rhythm.after(read.elapsed()) {
                Step::Rest(rest) => (rest, None),
                Step::Watch(rest) => (rest, self.trigger.as_ref()),
                Step::Read => return true,
            };
            // poll reports a closed other end without being asked for it
            let mut polled = vec![PollFd::new(running, PollFlags::empty())];
            polled.extend(trigger.map(|trigger| PollFd::new(&trigger.file, trigger.event)));
            // a time that does not fit cannot happen; it would wait for ever
            let timeout = Timespec::try_from(patience).ok();
            match poll(&mut polled, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // nothing that poll can say of these arguments; the intervals at least must be kept
                Err(error) => {
                    log::debug!("cannot wait for a change of load: {error}");
                    std::thread::sleep(patience);
                }
            }
            if !polled[0].revents().is_empty() {
                return false;
            }
            if let (Some(trigger), Some(events)) = (trigger, polled.get(1).map(PollFd::revents)) {
                if events.contains(trigger.event) {
                    return true;
                }
                if !events.is_empty() {
                    log::debug!("the pressure trigger is gone; pressure is read at intervals only");
                    self.trigger = None;
                }
            }
        }
    }
}

/// When to read.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    /// From one reading to the next at least, however much the pressure rises: reading must not become a load itself.
    spacing: Duration,
    /// From one reading to the next at most.
    interval: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { spacing: Duration::from_millis(100), interval: INTERVAL }
    }
}

/// What to do next.
#[derive(Debug, PartialEq)]
enum Step {
    /// Wait so long, whatever the pressure does.
    Rest(Duration),
    /// Wait so long for a rise in pressure.
    Watch(Duration),
    /// Read now.
    Read,
}

impl Rhythm {
    /// What to do when the last reading was `elapsed` ago.
    fn after(self, elapsed: Duration) -> Step {
        if elapsed < self.spacing {
            Step::Rest(self.spacing - elapsed)
        } else if elapsed < self.interval {
            Step::Watch(self.interval - elapsed)
        } else {
            Step::Read
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Write, pipe};
    use std::thread::JoinHandle;

    use crossbeam_channel::{Receiver, unbounded};

    use super::*;
    use gaitd_core::clock::ManualClock;
    use gaitd_core::control::Load;

    /// Far longer than the tests may run.
    const NEVER: Duration = Duration::from_secs(86_400);

    /// Sends a message for every reading.
    struct Fake(crossbeam_channel::Sender<()>);

    impl LoadProbe for Fake {
        fn read(&mut self) -> Load {
            self.0.send(()).unwrap();
            Load::cpu(0.5)
        }
    }

    /// A sampling thread with a pipe as its trigger.
    struct Bench {
        readings: Receiver<()>,
        latest: LatestLoad,
        running: PipeWriter,
        thread: JoinHandle<()>,
    }

    fn start(rhythm: Rhythm, trigger: Option<Trigger>) -> Bench {
        let (send, readings) = unbounded();
        let (run_over, running) = pipe().unwrap();
        let latest = LatestLoad::default();
        let clock = Arc::new(ManualClock::default());
        let sampling = Sampling { probe: Box::new(Fake(send)), latest: latest.clone(), clock, rhythm, trigger };
        Bench { readings, latest, running, thread: std::thread::spawn(move || sampling.run(&run_over)) }
    }

    fn trigger() -> (Trigger, PipeWriter) {
        let (file, rise) = pipe().unwrap();
        (Trigger { file: file.into(), event: PollFlags::IN }, rise)
    }

    #[test]
    fn the_end_of_the_run_ends_the_thread_amid_an_interval() {
        for rhythm in [Rhythm { spacing: NEVER, interval: NEVER }, Rhythm { spacing: Duration::ZERO, interval: NEVER }]
        {
            for with_trigger in [false, true] {
                let (trigger, _rise) = trigger();
                let mut bench = start(rhythm, with_trigger.then_some(trigger));
                bench.readings.recv().unwrap();
                drop(bench.running);
                bench.thread.join().unwrap();
                assert_eq!(bench.latest.get(Duration::ZERO), Load::cpu(0.5));
                assert!(bench.readings.try_recv().is_err());
            }
        }
    }

    #[test]
    fn a_rise_in_pressure_brings_the_next_reading_forward() {
        let (trigger, mut rise) = trigger();
        let bench = start(Rhythm { spacing: Duration::ZERO, interval: NEVER }, Some(trigger));
        bench.readings.recv().unwrap();
        rise.write_all(b"!").unwrap();
        bench.readings.recv().unwrap();
        drop(bench.running);
        bench.thread.join().unwrap();
    }

    #[test]
    fn a_reading_follows_an_interval_without_a_trigger() {
        let bench = start(Rhythm { spacing: Duration::ZERO, interval: Duration::from_millis(1) }, None);
        for _ in 0..3 {
            bench.readings.recv().unwrap();
        }
        drop(bench.running);
        bench.thread.join().unwrap();
    }

    #[test]
    fn a_trigger_that_is_gone_is_given_up() {
        let (trigger, rise) = trigger();
        drop(rise);
        let bench = start(Rhythm { spacing: Duration::ZERO, interval: NEVER }, Some(trigger));
        bench.readings.recv().unwrap();
        drop(bench.running);
        bench.thread.join().unwrap();
        assert!(bench.readings.try_recv().is_err());
    }

    #[test]
    fn sustained_pressure_is_read_at_most_every_so_often() {
        let rhythm = Rhythm::default();
        let ms = Duration::from_millis;
        assert_eq!(rhythm.after(Duration::ZERO), Step::Rest(ms(100)));
        assert_eq!(rhythm.after(ms(99)), Step::Rest(ms(1)));
        assert_eq!(rhythm.after(ms(100)), Step::Watch(ms(400)));
        assert_eq!(rhythm.after(ms(499)), Step::Watch(ms(1)));
        assert_eq!(rhythm.after(ms(500)), Step::Read);
        assert_eq!(rhythm.after(NEVER), Step::Read);
        // a trigger that never falls silent does not shorten the rest
        let (trigger, mut rise) = trigger();
        rise.write_all(b"!").unwrap();
        let bench = start(Rhythm { spacing: NEVER, interval: NEVER }, Some(trigger));
        bench.readings.recv().unwrap();
        drop(bench.running);
        bench.thread.join().unwrap();
        assert!(bench.readings.try_recv().is_err());
    }
}
