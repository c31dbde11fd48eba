//! The bodies of the daemon's threads, and the queues between them.

pub(crate) mod decision_queue;
pub(crate) mod engine;
pub(crate) mod loader;
pub(crate) mod observers;
pub(crate) mod output;
pub(crate) mod sensing;
