//! Conditioning: raw samples to the channels that the network was trained on, live and causally.
//!
//! A model's manifest lists the operations ([`OpSpec`]). A [`Conditioner`] turns the list into a flat program once,
//! and then runs it for each sample without looking anything up or allocating.

mod bank;
mod compiler;
mod conditioner;
mod pointwise;
mod registers;
mod spec;

pub use conditioner::{BLOCK, Conditioner};
pub use spec::{ConditionError, Fault, OpSpec, Start};
