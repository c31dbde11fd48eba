//! One stream: its counters, what is wrong with its sensors, and a source that is opened again and again,
//! and its tie to the time of day.

pub(crate) mod counters;
pub(crate) mod lead;
pub(crate) mod plausible;
pub(crate) mod rate;
pub(crate) mod reconnecting;
pub(crate) mod wall_time;
