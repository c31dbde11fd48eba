//! Windows: conditioned samples to `[channels, time]`, a new one every hop, their normalisation, and their resampling
//! to a resolution.

mod changes;
mod intake;
mod normalise;
mod resampler;
mod shortfall;
mod windower;

pub use intake::{Cutter, Intake, Ready};
pub use normalise::{Normalisation, Over};
pub use resampler::Resampler;
pub use shortfall::Shortfall;
pub use windower::{Window, Windower};

/// Why windows cannot be cut or resampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// A number that must be positive is 0.
    #[error("{0} is 0, but must be at least 1")]
    Zero(&'static str),
}

/// The first of the named numbers that is 0.
fn positive(numbers: &[(&'static str, usize)]) -> Result<(), WindowError> {
    numbers.iter().find(|(_, number)| *number == 0).map_or(Ok(()), |(name, _)| Err(WindowError::Zero(name)))
}
