//! The bodies of the daemon's threads, and the queues between them.

pub(crate) mod engine;
pub(crate) mod loader;
pub(crate) mod publishing;
pub(crate) mod queue;
pub(crate) mod sensing;
pub(crate) mod traces;
pub(crate) mod waiting;

use std::io;
use std::thread::{Builder, JoinHandle};

/// The processor that a thread is to run on; any where there is none.
pub(crate) type Cpu = Option<usize>;

/// Starts the thread `gaitd-NAME` on `cpu`.
///
/// # Errors
/// When the system gives none.
pub(crate) fn spawn<T: Send + 'static>(
    name: &'static str,
    cpu: Cpu,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(format!("gaitd-{name}")).spawn(move || {
        if let Some(id) = cpu
            && !core_affinity::set_for_current(core_affinity::CoreId { id })
        {
            log::warn!("the {name} thread cannot be pinned to processor {id}; it runs on any");
        }
        body()
    })
}
