//! Streams of samples: text to samples, continuity, conditioning, windows. No stream yields a value that is not finite,
//! every reading and every window is accounted for, and nothing takes longer or more memory for what a line says.

#![no_main]

mod shared;

use std::io::BufReader;
use std::sync::Arc;
use std::time::Duration;

use std::path::Path;

use gaitd_core::ladder::{Manifest, ModelFiles};
use gaitd_core::stream::continuity::{DEFAULT_BRIDGE_S, LARGEST_VALUE};
use gaitd_core::stream::{Continuity, Reading, Sample, Step};
use gaitd_core::virtual_time::VirtualClock;
use gaitd_core::window::Window;
use gaitd_embedded::Embedded;
use gaitd_sense::{NO_DEADLINE, Pace, Source, TextFormat, TextSource};
use libfuzzer_sys::fuzz_target;

/// One channel at 50 Hz, windows of 8 samples every 3, behind a median of 3.
const SMALL: &[u8] = include_bytes!("../seeds/manifest/one-channel.json");

thread_local! {
    static MODELS: [Manifest; 2] = {
        let shipped = Embedded.read("manifest.json").expect("the embedded manifest");
        [SMALL, &shipped].map(|bytes| Manifest::parse(bytes, Path::new("manifest.json")).expect("a manifest"))
    };
}

/// What came out of the continuity, counted apart from its own accounts.
#[derive(Default)]
struct Account {
    next: u64,
    fresh: u64,
    bridged: u64,
    resets: u64,
    /// Samples since the last reset.
    stretch: u64,
    windows: u64,
}

impl Account {
    fn note(&mut self, step: &Step<'_>, (delay, length, hop): (u64, u64, u64)) {
        match step {
            Step::Reset { next } => {
                assert_eq!(*next, self.next);
                self.resets += 1;
                self.stretch = 0;
            }
            Step::Sample { number, sample, bridged } => {
                assert_eq!(*number, self.next);
                // not NaN either
                assert!(sample.values.iter().all(|value| value.abs() <= LARGEST_VALUE), "{sample:?}");
                self.next += 1;
                self.stretch += 1;
                *(if *bridged { &mut self.bridged } else { &mut self.fresh }) += 1;
                let first = delay + length;
                self.windows += u64::from(self.stretch >= first && (self.stretch - first).is_multiple_of(hop));
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    // the first byte says how the rest is read; in seeds it is a letter
    let Some((&how, text)) = bytes.split_first() else { return };
    let format = [None, None, Some(TextFormat::Csv), Some(TextFormat::Ndjson)][usize::from(how & 3)];
    let pace = if how & 4 == 0 { Pace::Live } else { Pace::Realtime };
    let capacity = if how & 16 == 0 { 8192 } else { 3 };
    MODELS.with(|models| read(&models[usize::from(how >> 3 & 1)], text, format, pace, capacity));
});

fn read(manifest: &Manifest, text: &[u8], format: Option<TextFormat>, pace: Pace, capacity: usize) {
    let expected = manifest.stream_format();
    let channels = expected.channels.len();
    let reader = BufReader::with_capacity(capacity, text);
    let clock = Arc::new(VirtualClock::new());
    let mut source = TextSource::new(reader, "a stream".to_owned(), &expected, format, pace, clock);
    let mut continuity = Continuity::new(&expected, DEFAULT_BRIDGE_S).expect("the default");
    let mut intake = manifest.intake().expect("a manifest");
    let delay = if manifest.task.input.conditioning.is_empty() { 0 } else { 1 };
    let cut = (delay, manifest.task.window as u64, manifest.task.hop as u64);
    let mut window = Window::new(manifest.task.channels.len(), manifest.task.window);
    let mut sample = Sample { time_s: None, values: Vec::new() };
    let mut account = Account::default();
    let (mut samples, mut malformed, mut windows) = (0, 0, 0);
    // CR ends a line, too; what gzip holds is longer than itself
    let packed = text.starts_with(&[0x1f, 0x8b]);
    let lines = if packed { u64::MAX } else { text.split(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 };
    loop {
        let reading = match source.read(&mut sample, NO_DEADLINE) {
            Ok(Reading::End) => break,
            Ok(reading) => reading,
            // a source that has failed is not read again
            Err(error) => break assert!(!error.to_string().is_empty()),
        };
        match &reading {
            Reading::Sample => {
                samples += 1;
                assert_eq!(sample.values.len(), channels);
                assert!(sample.time_s.is_none_or(f64::is_finite));
                assert!(packed || source.label().is_none_or(|label| label.len() <= 2 * text.len()));
            }
            Reading::Malformed(problem) => {
                malformed += 1;
                assert!(!problem.is_empty());
                assert!(problem.len() < 2000, "a message as long as a line: {problem}");
            }
            Reading::Interrupted | Reading::Pending => panic!("a text in memory neither stops nor waits"),
            Reading::End => {}
        }
        assert!(samples + malformed <= lines);
        continuity.push(&reading, &sample, |step| account.note(&step, cut));
        intake.push(&reading, &sample, Duration::ZERO, |ready| {
            ready.fill(&mut window);
            assert!(window.samples().iter().all(|value| value.is_finite()), "{window:?}");
            assert_eq!(window.index, windows);
            assert_eq!(window.last_sample + 1 - window.first_sample, cut.1);
            windows += 1;
        });
        assert_eq!(intake.counts(), continuity.counts());
        assert_eq!(windows, account.windows);
    }
    continuity.push(&Reading::End, &sample, |step| account.note(&step, cut));
    let counts = continuity.counts();
    assert!(account.fresh <= counts.samples + counts.resampled);
    assert!(account.bridged <= counts.bridged);
    assert_eq!(counts.resets, account.resets);
    assert_eq!(counts.malformed, malformed);
    assert_eq!(counts.samples + counts.non_finite + counts.out_of_order + counts.astray, samples);
    assert!(counts.gaps <= counts.resets);
    // at most five samples are bridged before each good one
    assert!(counts.bridged <= 5 * counts.samples);
}
