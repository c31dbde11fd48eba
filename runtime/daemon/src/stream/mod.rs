//! One stream: its counters, and a source that is opened again and again.

pub(crate) mod counters;
pub(crate) mod rate;
pub(crate) mod reconnecting;
