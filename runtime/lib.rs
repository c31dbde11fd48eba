//! gaitd recognises human activity from a wearable's motion sensors and answers every window within its latency
//! budget: for each window it picks the width-resolution configuration of one network that is most accurate among
//! those that will be on time.
//!
//! The rooms stand in the order in which data flows. A room knows the rooms before it, never those behind it; only
//! [`daemon`], [`rehearse`] and the binary's commands know them all. Everything up to [`publish`] is free of threads,
//! and [`control`] and [`engine`] take time and load as arguments, so that each policy can be tested and simulated
//! without sleeping.

pub mod sense;

pub mod condition;

pub mod window;

pub mod ladder;

pub mod control;

pub mod engine;

pub mod publish;

pub mod figure;

pub mod simulate;

pub mod daemon;

pub mod rehearse;
