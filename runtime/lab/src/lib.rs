//! The laboratory: policies in simulation and on the machine at hand, and figures of both.

#![forbid(unsafe_code)]

pub mod figure;

pub mod simulate;

pub mod rehearse;
