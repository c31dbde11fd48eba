//! The laboratory: policies in simulation, on recorded windows and on the machine at hand, and figures of what comes
//! out.

#![forbid(unsafe_code)]

pub mod figure;

pub mod simulate;

pub mod rehearse;

pub mod replay;
