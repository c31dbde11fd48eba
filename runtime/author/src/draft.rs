//! A model directory in the making: in memory until all of it is right.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gaitd_core::exit::{self, ExitCode};
use gaitd_core::ladder::{
    Answers, Backend, FilesError, GoldenFile, InferenceError, LoadError, Loaded, Manifest, ModelFiles, NetworkFiles,
    Precision, runner_of,
};

use crate::understand::NetworkFile;

const MANIFEST: &str = "manifest.json";
const GOLDEN: &str = "golden.json";

/// How far a network of half precision, computed in single precision, may be from who computed it in half; as a share of
/// the largest logit.
const HALF_TOLERANCE: f32 = 1e-2;

/// The same of a quantised network, whose rounding another program does in another order.
const QUANTISED_TOLERANCE: f32 = 0.1;

/// How far a sum of probabilities may be from 1.
const SUM_TOLERANCE: f32 = 1e-3;

/// A model directory that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// What was given as answers of an independent reference does not fit.
    #[error("{name}: {problem}")]
    Reference {
        /// Where it comes from.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// gaitd's answers are not those of the reference, or the networks cannot be run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A network failed.
    #[error("configuration {id}: {reason}")]
    Inference {
        /// The configuration.
        id: String,
        /// Why.
        reason: InferenceError,
    },
    /// Something stands where the directory is to be.
    #[error("{}: {problem}", path.display())]
    InTheWay {
        /// Where.
        path: PathBuf,
        /// What it is, and what to do.
        problem: &'static str,
    },
    /// Writing failed.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

impl ExitCode for DraftError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Load(error) => error.exit_code(),
            Self::Reference { .. } | Self::Inference { .. } => exit::DATA,
            Self::InTheWay { .. } => exit::CONFIG,
            Self::Write { .. } => exit::IO,
        }
    }
}

/// Windows whose answers are to become golden.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenWindows {
    /// Where they come from, for people.
    pub origin: String,
    /// Each `[channels, time]`, conditioned.
    pub windows: Vec<Vec<f32>>,
    /// What an independent program answered, by configuration, `[window, label]`, as the network's output holds it; where
    /// it is not given, a backend answers.
    pub answers: Option<BTreeMap<String, Vec<Vec<f32>>>>,
}

impl GoldenWindows {
    /// Windows that nobody recorded: slow and fast swings of unlike sizes, the same each time, for networks of which no data
    /// are at hand.
    #[must_use]
    pub fn made_up(channels: usize, time: usize) -> Self {
        /// The n-th of the fractions that fill the unit interval evenly (Kronecker's sequence of the golden ratio).
        fn fraction(n: usize) -> f32 {
            (n as f32 * 0.618_034).fract()
        }
        let window = |number: usize| -> Vec<f32> {
            let value = |channel: usize, step: usize| {
                let place = number * channels + channel;
                let (offset, size) = (2.0 * fraction(place + 1) - 1.0, [0.1, 1.0, 5.0][place % 3]);
                let turns = 1.0 + 12.0 * fraction(place + 7);
                let angle = std::f32::consts::TAU * (turns * step as f32 / time as f32 + fraction(place + 3));
                offset + size * angle.sin() + 0.05 * (2.0 * fraction(place * time + step) - 1.0)
            };
            (0..channels).flat_map(|channel| (0..time).map(move |step| value(channel, step))).collect()
        };
        Self { origin: "made-up windows".to_owned(), windows: (0..6).map(window).collect(), answers: None }
    }
}

/// Refuses what stands where the directory `path` is to be, unless it is a model that may be replaced.
///
/// # Errors
/// When it may not be replaced.
pub fn in_the_way(path: &Path, replace: bool) -> Result<(), DraftError> {
    let path = path.to_path_buf();
    if path.file_name().is_none() {
        return Err(DraftError::InTheWay { path, problem: "names no directory that could be made" });
    }
    let problem = match fs::read_dir(&path).map(|mut entries| entries.next()) {
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => "is there, and is no directory; name another",
        Ok(None) => return Ok(()),
        Ok(_) if !path.join(MANIFEST).exists() => "is there, and holds no model; name another directory",
        Ok(_) if !replace => "is there, and holds a model; --force replaces it",
        Ok(_) => return Ok(()),
    };
    Err(DraftError::InTheWay { path, problem })
}

/// A model directory in the making.
#[derive(Clone, Debug)]
pub struct Draft {
    origin: PathBuf,
    manifest: Manifest,
    golden: GoldenFile,
    files: BTreeMap<String, Vec<u8>>,
}

impl Draft {
    /// The model that `manifest` describes, of `networks`, for the directory `origin`; its golden vectors are `golden`'s
    /// windows and answers, or else those of `reference`, and its manifest says which.
    ///
    /// # Errors
    /// When the answers do not fit, or the reference cannot run a network.
    pub fn new(
        origin: &Path,
        manifest: Manifest,
        networks: &[NetworkFile],
        golden: GoldenWindows,
        reference: &dyn Backend,
    ) -> Result<Self, DraftError> {
        let mut files = BTreeMap::new();
        for network in networks {
            files.extend(network.weights.clone());
            files.insert(network.file.clone(), network.onnx.clone());
        }
        let nothing = GoldenFile {
            schema: GoldenFile::SCHEMA,
            reference: None,
            windows: Vec::new(),
            logits: BTreeMap::new(),
            tolerances: BTreeMap::new(),
        };
        let mut draft = Self { origin: origin.to_path_buf(), manifest, golden: nothing, files };
        let tolerance = |network: &NetworkFile| match network.facts.precision {
            Precision::Single => None,
            Precision::Half => Some((network.id.clone(), HALF_TOLERANCE)),
            Precision::Quantised => Some((network.id.clone(), QUANTISED_TOLERANCE)),
        };
        draft.golden.tolerances = networks.iter().filter_map(tolerance).collect();
        let time = draft.manifest.task.window;
        let (logits, reference) = match golden.answers {
            Some(answers) => {
                let name = &golden.origin;
                (draft.given(name, &golden.windows, answers)?, format!("windows and answers of {name}"))
            }
            None => {
                let by = format!("{}, answered by {}", golden.origin, reference.name());
                (draft.answers(&golden.windows, reference)?, by)
            }
        };
        let rows = |window: &Vec<f32>| window.chunks(time).map(<[f32]>::to_vec).collect();
        draft.golden.windows = golden.windows.iter().map(rows).collect();
        draft.golden.logits = logits;
        draft.manifest.training.insert("golden_vectors".to_owned(), reference.clone().into());
        draft.golden.reference = Some(reference);
        Ok(draft)
    }

    /// What an independent program answered, as logits.
    fn given(
        &self,
        name: &str,
        windows: &[Vec<f32>],
        mut answers: BTreeMap<String, Vec<Vec<f32>>>,
    ) -> Result<BTreeMap<String, Vec<Vec<f32>>>, DraftError> {
        let wrong = |problem: String| DraftError::Reference { name: name.to_owned(), problem };
        let task = &self.manifest.task;
        let length = task.channels.len() * task.window;
        if windows.is_empty() || windows.iter().any(|window| window.len() != length) {
            return Err(wrong(format!(
                "its windows must be {} channels of {} samples",
                task.channels.len(),
                task.window
            )));
        }
        let mut logits = BTreeMap::new();
        for configuration in &self.manifest.configurations {
            let id = &configuration.id;
            let mut rows = answers
                .remove(id)
                .ok_or_else(|| wrong(format!("it has no answers of {id}, an array of that name [windows, labels]")))?;
            if rows.len() != windows.len() || rows.iter().any(|row| row.len() != task.labels.len()) {
                return Err(wrong(format!("{id} must be {} windows of {} labels", windows.len(), task.labels.len())));
            }
            rows.iter_mut().for_each(|row| configuration.output.holds.to_logits(row));
            logits.insert(id.clone(), rows);
        }
        Ok(logits)
    }

    /// What `backend` answers.
    fn answers(
        &self,
        windows: &[Vec<f32>],
        backend: &dyn Backend,
    ) -> Result<BTreeMap<String, Vec<Vec<f32>>>, DraftError> {
        let networks = NetworkFiles::new(&self.manifest, self);
        let network = match backend.load(&networks)? {
            Loaded::Network(network) => network,
            Loaded::Left(reason) => {
                let left = vec![(backend.name(), reason)];
                return Err(LoadError::NoBackend { origin: self.origin(), left, absent: Vec::new() }.into());
            }
        };
        let mut runner = runner_of(network.as_ref(), &self.manifest).map_err(LoadError::Runner)?;
        let labels = self.manifest.task.labels.len();
        let mut logits = BTreeMap::new();
        for (rung, configuration) in self.manifest.configurations.iter().enumerate() {
            let mut answer = |window: &Vec<f32>| {
                let mut logits = vec![0.0; labels];
                runner.infer(rung, window, &mut logits)?;
                Ok(logits)
            };
            let answers: Result<Vec<_>, InferenceError> = windows.iter().map(&mut answer).collect();
            let id = configuration.id.clone();
            let answers = answers.map_err(|reason| DraftError::Inference { id: id.clone(), reason })?;
            logits.insert(id, answers);
        }
        Ok(logits)
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Who computed the golden vectors.
    #[must_use]
    pub fn reference(&self) -> &str {
        self.golden.reference.as_deref().unwrap_or_default()
    }

    /// How many golden windows there are.
    #[must_use]
    pub fn golden_windows(&self) -> usize {
        self.golden.windows.len()
    }

    /// The configurations that are taken to answer with logits and whose answers look like probabilities.
    #[must_use]
    pub fn unexpected_probabilities(&self) -> Vec<&str> {
        let like_probabilities = |row: &Vec<f32>| {
            row.iter().all(|it| (0.0..=1.0).contains(it)) && (row.iter().sum::<f32>() - 1.0).abs() < SUM_TOLERANCE
        };
        let configurations = self.manifest.configurations.iter();
        let taken = configurations.filter(|it| it.output.holds == Answers::Logits);
        taken.filter(|it| self.golden.logits[&it.id].iter().all(like_probabilities)).map(|it| it.id.as_str()).collect()
    }

    /// Replaces the manifest by what `change` makes of it, in which configurations may have been left out.
    pub fn change(&mut self, change: impl FnOnce(&mut Manifest)) {
        change(&mut self.manifest);
        let configurations = &self.manifest.configurations;
        let kept = |id: &String| configurations.iter().any(|it| it.id == *id);
        self.golden.logits.retain(|id, _| kept(id));
        self.golden.tolerances.retain(|id, _| kept(id));
        let named = |file: &String| {
            configurations.iter().any(|it| it.file == *file || it.weights.iter().any(|weights| weights.file == *file))
        };
        self.files.retain(|file, _| named(file));
    }

    /// Makes the directory, whole or not at all; a model directory that is there is replaced where `replace` says so.
    ///
    /// # Errors
    /// When something is in the way, or cannot be written.
    pub fn write(&self, replace: bool) -> Result<(), DraftError> {
        let target = &self.origin;
        let write = |path: &Path, reason: io::Error| DraftError::Write { path: path.to_path_buf(), reason };
        in_the_way(target, replace)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = |suffix: &str| target.with_file_name(format!(".{name}.{suffix}"));
        let (part, old) = (beside("part"), beside("old"));
        let clear = |path: &Path| match fs::remove_dir_all(path) {
            Err(reason) if reason.kind() != io::ErrorKind::NotFound => Err(write(path, reason)),
            _ => Ok(()),
        };
        clear(&part)?;
        clear(&old)?;
        fs::create_dir_all(&part).map_err(|reason| write(&part, reason))?;
        let files = self.files.keys().map(String::as_str).chain([MANIFEST, GOLDEN]);
        for name in files {
            let path = part.join(name);
            let bytes = self.read(name).map_err(|error| write(&path, error.reason))?;
            fs::write(&path, bytes).map_err(|reason| write(&path, reason))?;
        }
        if target.exists() {
            fs::rename(target, &old).map_err(|reason| write(target, reason))?;
        }
        fs::rename(&part, target).map_err(|reason| write(target, reason))?;
        clear(&old)
    }

    fn json(value: &impl serde::Serialize, indented: bool) -> io::Result<Vec<u8>> {
        let mut text = if indented { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) }
            .map_err(io::Error::from)?;
        text.push(b'\n');
        Ok(text)
    }
}

impl ModelFiles for Draft {
    fn origin(&self) -> String {
        self.origin.display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.origin.join(name)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, FilesError> {
        let bytes = match name {
            MANIFEST => Self::json(&self.manifest, true),
            GOLDEN => Self::json(&self.golden, false),
            name => self.files.get(name).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)),
        };
        bytes.map_err(|reason| FilesError { path: self.path(name), reason })
    }

    fn networks(&self) -> Result<Vec<String>, FilesError> {
        Ok(self.files.keys().filter(|name| name.ends_with(".onnx")).cloned().collect())
    }
}
