//! What the daemon reads: a named pipe, what is written into it, and how many windows must come of it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// Ticks of the stream's clock, a fiftieth of a second, from one sample to the next that are still no gap.
const BRIDGED: i64 = 5;
/// Samples in a row that may be behind before the clock counts as set back.
const PATIENCE: u32 = 5;
/// Samples of a window, and from one to the next; conditioning holds one back.
const WINDOW: u64 = 128;
const HOP: u64 = 64;
const DELAY: u64 = 1;

/// The writer's side of the stream, and the account of it: the rules that `Continuity` documents, written down
/// a second time.
pub struct Stream {
    path: PathBuf,
    pipe: Option<File>,
    text: Vec<u8>,
    /// The time of the next sample, in ticks.
    now: i64,
    /// That of the sample passed on last, where there is one to go on from.
    last: Option<i64>,
    behind: u32,
    /// Samples in a row without a fresh start.
    run: u64,
    /// Windows that must have been produced.
    pub windows: u64,
    /// Samples that were written, good or bad.
    pub written: u64,
    /// Good samples that must have been passed on.
    pub good: u64,
    pub bridged: u64,
    pub malformed: u64,
    pub non_finite: u64,
    pub out_of_order: u64,
    pub resets: u64,
    swing: u64,
}

/// A line that is no good sample, and how it must be counted.
#[derive(Clone, Copy)]
pub enum Bad {
    Malformed(&'static [u8]),
    NonFinite(&'static str),
    TooLong,
}

/// Windows in `samples` samples in a row.
fn windows_in(samples: u64) -> u64 {
    samples.checked_sub(WINDOW + DELAY).map_or(0, |rest| rest / HOP + 1)
}

impl Stream {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            pipe: None,
            text: Vec::new(),
            // an ordinary second of our time
            now: 1_764_000_000 * 50,
            last: None,
            behind: 0,
            run: 0,
            windows: 0,
            written: 0,
            good: 0,
            bridged: 0,
            malformed: 0,
            non_finite: 0,
            out_of_order: 0,
            resets: 0,
            swing: 0,
        }
    }

    /// Makes the pipe.
    pub fn make(&self) {
        rustix::fs::mknodat(rustix::fs::CWD, &self.path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
    }

    pub fn remove(&self) {
        std::fs::remove_file(&self.path).unwrap();
    }

    /// Opens the pipe to write, if somebody reads it, and begins a new stream; whether that was so.
    pub fn open(&mut self) -> bool {
        let nonblock = OFlags::NONBLOCK.bits().cast_signed();
        let Ok(pipe) = OpenOptions::new().write(true).custom_flags(nonblock).open(&self.path) else { return false };
        let flags = rustix::fs::fcntl_getfl(&pipe).unwrap();
        rustix::fs::fcntl_setfl(&pipe, flags - OFlags::NONBLOCK).unwrap();
        self.pipe = Some(pipe);
        self.text.extend_from_slice(b"t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n");
        true
    }

    /// Closes the pipe: what comes later does not go on from here.
    pub fn close(&mut self) {
        self.flush();
        self.pipe = None;
        if self.last.take().is_some() {
            self.reset();
        }
        self.behind = 0;
    }

    /// Hands over all that was written. Waits while the daemon has no room for it.
    pub fn flush(&mut self) {
        if let Some(pipe) = &mut self.pipe {
            pipe.write_all(&self.text).expect("the daemon reads on");
            self.text.clear();
        }
    }

    /// Writes `count` good samples, whatever the clock says.
    pub fn good(&mut self, count: u64) {
        for _ in 0..count {
            let (seconds, hundredths) = (self.now / 50, self.now % 50 * 2);
            let wave = [0, 38, 70, 92, 100, 92, 70, 38, 0, -38, -70, -92, -100, -92, -70, -38];
            let swing = wave[(self.swing / 2 % 16) as usize];
            self.swing += 1;
            writeln!(
                self.text,
                "{seconds}.{hundredths:02},{},0.1,-0.2,{},0.0,0.1",
                1.0 + 0.002 * f64::from(swing),
                0.005 * f64::from(swing)
            )
            .unwrap();
            self.account();
            self.now += 1;
            self.written += 1;
            if self.text.len() > 32 << 10 {
                self.flush();
            }
        }
    }

    /// Writes lines that stand for one sample each.
    pub fn bad(&mut self, lines: &[Bad]) {
        for bad in lines {
            match bad {
                Bad::Malformed(line) => {
                    self.text.extend_from_slice(line);
                    self.malformed += 1;
                }
                Bad::NonFinite(value) => {
                    write!(self.text, "{}.{:02},{value},0,0,0,0,0", self.now / 50, self.now % 50 * 2).unwrap();
                    self.non_finite += 1;
                }
                Bad::TooLong => {
                    self.text.resize(self.text.len() + 100_000, b'1');
                    self.malformed += 1;
                }
            }
            self.text.push(b'\n');
            self.now += 1;
            self.written += 1;
        }
    }

    /// Sets the sensor's clock so many ticks forward or back.
    pub fn set_clock(&mut self, ticks: i64) {
        self.now += ticks;
    }

    /// What must come of a good sample now.
    fn account(&mut self) {
        if let Some(last) = self.last {
            let missing = self.now - last - 1;
            if missing > BRIDGED {
                self.reset();
            } else if missing > 0 {
                self.bridged += missing.unsigned_abs();
                self.passed_on(missing.unsigned_abs());
            } else if missing < 0 {
                self.out_of_order += 1;
                self.behind += 1;
                if self.behind <= PATIENCE {
                    return;
                }
                self.out_of_order -= 1;
                self.reset();
            }
        }
        self.last = Some(self.now);
        self.behind = 0;
        self.good += 1;
        self.passed_on(1);
    }

    fn passed_on(&mut self, samples: u64) {
        self.windows += windows_in(self.run + samples) - windows_in(self.run);
        self.run += samples;
    }

    fn reset(&mut self) {
        self.resets += 1;
        self.run = 0;
    }
}
