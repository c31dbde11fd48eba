//! Time that the engine is asked to set aside for publishing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long publishing is expected to take: the threads that publish report it, the engine's thread passes it on.
#[derive(Clone, Debug, Default)]
pub struct PublishReserve(Arc<AtomicU64>);

impl PublishReserve {
    /// Learns that publishing one decision took `latency`. The reserve follows a rise at once and forgets it slowly.
    pub fn observe(&self, latency: Duration) {
        let latest = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let faded = self.0.load(Ordering::Relaxed);
        self.0.store(latest.max(faded - faded / 32), Ordering::Relaxed);
    }

    /// The time to set aside.
    #[must_use]
    pub fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
