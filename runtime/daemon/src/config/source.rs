//! Opens the source that a configuration names.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::SourceSpec;
use gaitd_core::clock::Clock;
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::stream::StreamFormat;
use gaitd_sense::import::{FileSource, Files};
use gaitd_sense::wearer::{self, Truth, WearerConfig, WearerError, WearerSource};
use gaitd_sense::{HeaderMemory, JoinedSource, Limited, Mounted, SenseError, Source, TextSource, open_file};

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
            Self::File { path, .. } => path.to_string(),
            Self::Stdin { .. } => "standard input".to_owned(),
        }
    }

    /// Refuses a model that reads the simulated wearer's samples without knowing what they are of; `labels` are what it knows.
    ///
    /// # Errors
    /// With what it does not know.
    pub fn suits(&self, labels: &[String]) -> Result<(), OpenError> {
        if self.is_simulated() { Ok(wearer::check_labels(labels)?) } else { Ok(()) }
    }

    /// Whether the samples are made up.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Wearer { .. })
    }

    /// What the files of this source, open already, give a model that reads `format`: each goes on with the header that
    /// it had, where it has none of its own.
    pub(crate) fn stream_in(
        &self,
        files: Vec<(Arc<File>, String, HeaderMemory)>,
        format: &StreamFormat,
        clock: &Arc<dyn Clock>,
    ) -> Box<dyn Source> {
        let text = |(file, origin, memory): (Arc<File>, String, HeaderMemory)| {
            TextSource::from_file(file, origin, format, None, self.pace(), Arc::clone(clock))
                .spelled(self.spelling().unwrap_or_default())
                .remembering(&memory)
        };
        let mut texts: Vec<_> = files.into_iter().map(text).collect();
        if texts.len() > 1 {
            return Box::new(JoinedSource::new(texts, format, self.pace(), Arc::clone(clock)));
        }
        // there is one: see `Paths`
        Box::new(texts.remove(0))
    }

    /// `source`, its sensors turned as they are mounted, and as long as it is to be.
    ///
    /// # Errors
    /// When there is a mount matrix, and no sensor with three axes.
    pub(crate) fn dressed(
        &self,
        source: Box<dyn Source>,
        format: &StreamFormat,
    ) -> Result<Box<dyn Source>, SenseError> {
        let source = match self.mount() {
            Some(mount) => Box::new(Mounted::new(source, mount, format)?),
            None => source,
        };
        Ok(match self.seconds() {
            Some(seconds) => Box::new(Limited::new(source, seconds, format)),
            None => source,
        })
    }

    /// Opens the source for a model that reads `format`.
    ///
    /// # Errors
    /// When a file cannot be opened, or the source cannot deliver such a stream.
    pub fn open(&self, format: &StreamFormat, clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
        let source: Box<dyn Source> = match self {
            Self::Wearer { seed, seconds, pace } => {
                let config = WearerConfig { seed: *seed, seconds: *seconds, pace: *pace, ..WearerConfig::default() };
                let source = WearerSource::new(&config, format, Arc::clone(clock))?;
                return Ok(Opened { truth: Some(source.truth()), source: Box::new(source) });
            }
            Self::File { path, .. } => {
                let open = |path: &PathBuf| match open_file(path) {
                    Ok(file) => Ok((Arc::new(file), path.display().to_string(), HeaderMemory::default())),
                    Err(error) => Err(SenseError::Open { path: path.clone(), error }),
                };
                let files: Vec<_> = path.all().iter().map(open).collect::<Result<_, SenseError>>()?;
                let regular = files.iter().all(|(file, ..)| file.metadata().is_ok_and(|file| file.is_file()));
                let source = self.stream_in(files, format, clock);
                // these can be read once more, in another way
                let again = || Files {
                    paths: path.all().to_vec(),
                    spelling: self.spelling().unwrap_or_default(),
                    format: format.clone(),
                    pace: self.pace(),
                    clock: Arc::clone(clock),
                };
                if regular { Box::new(FileSource::new(source, again())) } else { source }
            }
            Self::Stdin { pace, .. } => {
                let text = TextSource::stdin(format, None, *pace, Arc::clone(clock))?;
                Box::new(text.spelled(self.spelling().unwrap_or_default()))
            }
        };
        Ok(Opened { source: self.dressed(source, format)?, truth: None })
    }
}
