//! The daemon's configuration: what is read can be written and read again, and what passes its checks can be run.

#![no_main]

mod json;
mod shared;

use std::path::Path;
use std::sync::Arc;

use gaitd_core::clock::Clock;
use gaitd_core::control::Demand;
use gaitd_core::ladder::{Manifest, ModelFiles};
use gaitd_core::stream::{Reading, Sample, StreamFormat};
use gaitd_core::virtual_time::VirtualClock;
use gaitd_daemon::{Config, SourceSpec};
use gaitd_embedded::Embedded;
use gaitd_sense::NO_DEADLINE;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

thread_local! {
    static FORMAT: StreamFormat = {
        let bytes = Embedded.read("manifest.json").expect("the embedded manifest");
        Manifest::parse(&bytes, Path::new("manifest.json")).expect("the embedded manifest").stream_format()
    };
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { json::mutate(data, size, max_size, seed) });

fuzz_target!(|bytes: &[u8]| {
    let mut config = match Config::parse(bytes, Path::new("configs/daemon.json")) {
        Ok(config) => config,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = Config::parse(&shared::written(&config), Path::new("")).expect("what gaitd wrote itself");
    shared::assert_same(&config, &again);

    // which processors there are is no matter of the text
    config.cpus.clear();
    if let Err(error) = config.check() {
        return assert!(!error.to_string().is_empty());
    }
    let settings = config.control.settings();
    assert_eq!(settings.problems(), Vec::<String>::new());
    let (ids, candidates) = shared::plans();
    if let Ok(mut policy) = settings.policy.make(&candidates, &ids, &shared::terms(settings.budget)) {
        let demand = Demand { objective: settings.objective, ..Demand::new(settings.budget, settings.miss_target) };
        shared::drive(policy.as_mut(), &candidates, &demand, bytes.len() as u64, 20);
    }
    // any file of this machine may be named, so only the wearer is opened
    if matches!(config.source, SourceSpec::Wearer { .. }) {
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::new());
        let mut opened = FORMAT.with(|format| config.source.open(format, &clock)).expect("it was checked");
        let mut sample = Sample { time_s: None, values: vec![] };
        for _ in 0..3 {
            if opened.source.read(&mut sample, NO_DEADLINE).expect("a wearer never fails") == Reading::End {
                break;
            }
            assert!(sample.values.iter().all(|value| value.is_finite()));
        }
    }
});
