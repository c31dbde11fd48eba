//! The seam to everything that takes decisions out of the process.

use std::time::Duration;

use super::RunHeader;
use gaitd_api::Summary;
use gaitd_core::decode::Episode;
use gaitd_core::engine::Decision;

/// Why something was not published.
#[derive(Debug)]
pub enum PublishError {
    /// The reader has closed its end, and nothing that follows can be read.
    Closed,
    /// This one is lost (a full disk, say); the next one may not be.
    Lost(std::io::Error),
}

/// Takes the decisions of one ladder out of the process, on a thread of its own: it may take its time, and the engine
/// does not wait for it.
pub(crate) trait Publisher: Send {
    /// Begins with what all decisions have in common.
    ///
    /// # Errors
    /// When that cannot be published; decisions follow nevertheless.
    fn begin(&mut self, header: &RunHeader) -> Result<(), PublishError>;

    /// Publishes `decision`; the clock time is `now`.
    ///
    /// # Errors
    /// When it cannot be published.
    fn decision(&mut self, decision: &Decision, now: Duration) -> Result<(), PublishError>;

    /// Ends with the `episode` that the end of the stream has ended, if there was one, and the account of the run. A publisher
    /// that a reload replaces is not ended but dropped.
    ///
    /// # Errors
    /// When that cannot be published.
    fn end(&mut self, episode: Option<&Episode>, summary: &Summary) -> Result<(), PublishError>;
}
