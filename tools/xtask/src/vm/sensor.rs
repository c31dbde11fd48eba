//! The motion sensor at the board's edge: it sends one sample every 20 ms, whether the guest takes it or not, until
//! a person sends a recording of their own through it.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::agent::PATIENCE;

/// Between two samples: 50 Hz.
const PERIOD: Duration = Duration::from_millis(20);

/// Between the timestamps of what went before and of what is to start afresh, in seconds: more than gaitd bridges.
const GAP: f64 = 60.0;

/// A sensor that repeats a recording until it is dropped.
pub(super) struct Sensor(Arc<Mutex<Wire>>);

/// The sensor's end of the serial line.
struct Wire {
    port: UnixStream,
    /// The rest of a line of which the guest took a part only.
    rest: Vec<u8>,
    /// The timestamp of the next sample, in seconds.
    time: f64,
    /// Samples come by themselves.
    live: bool,
    failed: Option<std::io::Error>,
}

impl Sensor {
    /// Sends `recording` to `port` over and over; each line is an object of channels, without a timestamp.
    pub(super) fn start(port: UnixStream, recording: Arc<Vec<String>>) -> Result<Self> {
        port.set_write_timeout(Some(PATIENCE))?;
        let wire = Wire { port, rest: Vec::new(), time: 0.0, live: true, failed: None };
        let wire = Arc::new(Mutex::new(wire));
        let others = Arc::downgrade(&wire);
        std::thread::Builder::new().name("sensor".into()).spawn(move || {
            let start = Instant::now();
            for (number, sample) in (1u32..).zip(recording.iter().cycle()) {
                let Some(wire) = others.upgrade() else { break };
                lock(&wire).tick(sample);
                drop(wire);
                // a sensor's own clock goes on however late the host is
                sleep((start + PERIOD * number).saturating_duration_since(Instant::now()));
            }
        })?;
        Ok(Self(wire))
    }

    /// The timestamp of the next sample, in seconds.
    pub(super) fn time(&self) -> f64 {
        lock(&self.0).time
    }

    /// From now on samples come only by [`Recording::send`]; the first of them is so late that gaitd starts afresh.
    pub(super) fn play(&self) -> Result<Recording<'_>> {
        let mut wire = lock(&self.0);
        wire.live = false;
        wire.time += GAP;
        wire.port.set_nonblocking(false)?;
        let rest = std::mem::take(&mut wire.rest);
        wire.port.write_all(&rest).context("the sensor's port")?;
        let start = wire.time;
        Ok(Recording { sensor: self, start })
    }
}

/// A recording under way; samples come by themselves again when it is dropped.
pub(super) struct Recording<'a> {
    sensor: &'a Sensor,
    /// The timestamp of its first sample, in seconds.
    pub(super) start: f64,
}

impl Recording<'_> {
    /// Sends the next samples; returns when all are on their way.
    pub(super) fn send(&self, samples: &[String]) -> Result<()> {
        let mut wire = lock(&self.sensor.0);
        for sample in samples {
            let line = wire.stamp(sample);
            wire.port.write_all(&line).context("the guest takes no samples")?;
        }
        Ok(())
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let mut wire = lock(&self.sensor.0);
        wire.time += GAP;
        wire.live = true;
    }
}

impl Wire {
    /// One period of a live sensor: the sample is sent, or lost where the guest has not yet taken the one before.
    fn tick(&mut self, sample: &str) {
        if !self.live || self.failed.is_some() {
            return;
        }
        let line = self.stamp(sample);
        if self.rest.is_empty() {
            self.rest = line;
        }
        let sent = self.port.set_nonblocking(true).and_then(|()| self.port.write(&self.rest));
        match sent {
            Ok(count) => drop(self.rest.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // the machine is gone, which everybody else notices too
            Err(error) => self.failed = Some(error),
        }
    }

    /// The next line: `sample` with its timestamp.
    fn stamp(&mut self, sample: &str) -> Vec<u8> {
        let line = stamped(self.time, sample);
        self.time += PERIOD.as_secs_f64();
        line.into_bytes()
    }
}

fn stamped(time: f64, sample: &str) -> String {
    format!("{{\"t\":{time:.2},{}\n", sample.trim_start_matches('{'))
}

fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    #[test]
    fn a_recording_comes_whole_and_late_and_the_sensor_goes_on_after_it() {
        let (port, guest) = UnixStream::pair().unwrap();
        let mut lines = BufReader::new(guest).lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            (line["t"].as_f64().unwrap(), line["x"].as_i64().unwrap())
        });
        let samples: Vec<String> = (0..3).map(|x| format!("{{\"x\":{x}}}")).collect();
        let sensor = Sensor::start(port, Arc::new(samples.clone())).unwrap();
        let first: Vec<_> = lines.by_ref().take(4).collect();
        assert_eq!(first.iter().map(|(_, x)| *x).collect::<Vec<_>>(), [0, 1, 2, 0]);
        assert!((first[3].0 - 0.06).abs() < 1e-9);

        let recording = sensor.play().unwrap();
        recording.send(&samples[..2]).unwrap();
        recording.send(&samples[2..]).unwrap();
        let start = recording.start;
        let played: Vec<_> = lines.by_ref().skip_while(|(time, _)| *time < start - 1e-9).take(3).collect();
        assert_eq!(played.iter().map(|(_, x)| *x).collect::<Vec<_>>(), [0, 1, 2]);
        assert!((played[2].0 - start - 0.04).abs() < 1e-6);
        drop(recording);
        assert!(lines.next().unwrap().0 >= start + GAP);
    }
}
