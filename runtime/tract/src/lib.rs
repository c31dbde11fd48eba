//! The backend that runs ONNX networks by tract; no other crate names tract.

#![forbid(unsafe_code)]

mod backend;
mod executor;
mod onnx;

pub use backend::Tract;
