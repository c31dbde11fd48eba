//! Activities by time, as `gaitd import --labels` reads them: whatever is accepted holds apart intervals in the order of
//! their starts, each of which is found again at its start and not at its end.

#![no_main]

use std::path::Path;

use gaitd_sense::import::Intervals;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let file = Path::new("a/walk.csv");
    let intervals = match Intervals::parse(&text, Path::new("intervals.csv")) {
        Ok(intervals) => intervals,
        Err(error) => return assert!(error.to_string().starts_with("intervals.csv")),
    };
    for unit in [None, Some("ms"), Some("ns"), Some("h")] {
        let timeline = match intervals.of(&[file, Path::new("b.csv")], unit) {
            Ok(timeline) => timeline,
            Err(error) => return assert!(error.line > 1 && !error.problem.is_empty()),
        };
        let all: Vec<_> = timeline.iter().collect();
        for (number, (start, end, label)) in all.iter().enumerate() {
            assert!(start.is_finite() && end.is_finite() && start < end);
            assert_eq!(timeline.at(*start), *label);
            match all.get(number + 1) {
                Some((next, _, label)) => {
                    assert!(end <= next);
                    assert!(end < next || timeline.at(*end) == *label);
                }
                None => assert_eq!(timeline.at(*end), ""),
            }
        }
        assert_eq!(timeline.at(f64::NEG_INFINITY), "");
    }
});
