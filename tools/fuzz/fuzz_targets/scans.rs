//! What a sensor's driver says of its binary scans: type strings and indices to a layout, and scans to values. Each value
//! is one that its bits can hold, and each element lies within the scan, aligned and apart from the others.

#![no_main]

use gaitd_sense::Mount;
use gaitd_sense::iio::{ElementType, Layout};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // lines `index type` as text, a zero, and scans
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, scans) = (String::from_utf8_lossy(&bytes[..end]), bytes.get(end + 1..).unwrap_or_default());
    if let Ok(mount) = text.parse::<Mount>() {
        assert!(mount.turn([1.0, -2.0, 3.0]).iter().all(|value| value.is_finite()));
        assert_eq!(mount.to_string().parse(), Ok(mount));
    }
    let mut elements: Vec<(u32, ElementType)> = Vec::new();
    for line in text.lines() {
        let Some((index, kind)) = line.split_once(' ') else { continue };
        match (index.parse(), kind.parse()) {
            (Ok(index), Ok(kind)) => elements.push((index, kind)),
            (_, Err(problem)) => {
                let problem: String = problem;
                assert!(!problem.is_empty() && problem.len() < 200);
            }
            _ => {}
        }
    }
    let Ok(layout) = Layout::new(&elements) else { return };
    let mut places: Vec<(usize, usize)> =
        elements.iter().enumerate().map(|(number, (_, kind))| (layout.offset(number), kind.size())).collect();
    places.sort_unstable();
    assert!(places.iter().all(|(offset, size)| offset % size == 0 && offset + size <= layout.size()));
    assert!(places.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
    for scan in scans.chunks_exact(layout.size()).take(16) {
        for (number, (_, kind)) in elements.iter().enumerate() {
            let bytes = &scan[layout.offset(number)..];
            let (value, integer) = (kind.value(bytes), kind.integer(bytes));
            // floating point may be anything; of the others the full scale is the most
            if kind.full_scale() > 1.0 {
                assert!(value.abs() <= kind.full_scale(), "{kind:?}: {value}");
                assert!(value >= i64::MAX as f64 || integer as f64 == value, "{kind:?}: {value} and {integer}");
            }
        }
    }
});
