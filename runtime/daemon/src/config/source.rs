//! Opens the source that a configuration names.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use crate::config::SourceSpec;
use gaitd_core::clock::Clock;
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::stream::StreamFormat;
use gaitd_sense::wearer::{Truth, WearerConfig, WearerError, WearerSource};
use gaitd_sense::{SenseError, Source, TextSource};

/// A source that is ready to be read.
pub struct Opened {
    /// The source.
    pub source: Box<dyn Source>,
    /// What the wearer really does; known of a simulated one only.
    pub truth: Option<Truth>,
}

/// A source that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or standard input.
    #[error(transparent)]
    Sense(#[from] SenseError),
    /// The simulated wearer.
    #[error("source: {0}")]
    Wearer(WearerError),
}

impl ExitCode for OpenError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Sense(error) => error.exit_code(),
            Self::Wearer(_) => exit::CONFIG,
        }
    }
}

impl From<WearerError> for OpenError {
    fn from(error: WearerError) -> Self {
        Self::Wearer(error)
    }
}

impl SourceSpec {
    /// The source's name, for people.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Wearer { seed, seconds, .. } => {
                let length = seconds.map_or_else(|| "without end".to_owned(), |seconds| format!("for {seconds} s"));
                format!("a simulated wearer (seed {seed}, {length})")
            }
            Self::File { path, .. } => path.display().to_string(),
            Self::Stdin { .. } => "standard input".to_owned(),
        }
    }

    /// Whether the samples are made up.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Wearer { .. })
    }

    fn opened(&self, source: TextSource<BufReader<Arc<File>>>) -> Opened {
        Opened { source: Box::new(source.spelled(self.spelling().unwrap_or_default())), truth: None }
    }

    /// Opens the source for a model that reads `format`.
    ///
    /// # Errors
    /// When a file cannot be opened, or the source cannot deliver such a stream.
    pub fn open(&self, format: &StreamFormat, clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
        let clock = Arc::clone(clock);
        Ok(match self {
            Self::Wearer { seed, seconds, pace } => {
                let config = WearerConfig { seed: *seed, seconds: *seconds, pace: *pace, ..WearerConfig::default() };
                let source = WearerSource::new(&config, format, clock)?;
                Opened { truth: Some(source.truth()), source: Box::new(source) }
            }
            Self::File { path, pace, .. } => self.opened(TextSource::open(path, format, None, *pace, clock)?),
            Self::Stdin { pace, .. } => self.opened(TextSource::stdin(format, None, *pace, clock)?),
        })
    }
}
