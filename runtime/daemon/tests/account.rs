//! The account of latencies.

use std::time::Duration;

use gaitd_core::engine::Phase;
use gaitd_daemon::account::Ledger;

#[test]
fn the_ledger_counts_every_latency_once() {
    let mut ledger = Ledger::new(2);
    for us in 1..=1000 {
        let took = Duration::from_micros(us);
        ledger.record(Phase::Infer, took);
        ledger.record_inference(usize::from(us > 500), took);
    }
    ledger.record(Phase::Total, Duration::MAX);
    ledger.record(Phase::Total, Duration::ZERO);
    assert_eq!((ledger.inferences(0), ledger.inferences(1)), (500, 500));
    assert_eq!((ledger.count(Phase::Infer), ledger.count(Phase::Total), ledger.count(Phase::Wait)), (1000, 2, 0));
    let close = |found: Duration, expected: f64| (found.as_secs_f64() * 1e6 / expected - 1.0).abs() < 0.02;
    assert!(close(ledger.quantile(Phase::Infer, 0.5), 500.0));
    assert!(close(ledger.inference_quantile(1, 0.9), 950.0));
    assert_eq!(ledger.quantile(Phase::Wait, 0.99), Duration::ZERO);
}
