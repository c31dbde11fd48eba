//! What the policy has learned of this device outlives the process: it is kept beside the profiles.
//!
//! The engine's thread leaves a copy in a shared place, and only where that is not locked; the main thread, for which no
//! window waits, writes it to the file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gaitd_core::control::{Learned, Resumed};
use gaitd_core::engine::Engine;
use gaitd_core::ladder::ProfileKey;
use gaitd_core::state_file;

/// From one writing to the next.
pub(crate) const INTERVAL: Duration = Duration::from_secs(600);

/// Windows from one copy to the next.
const COPY_EVERY: u32 = 256;

/// What was learned cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct LearnedStateError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub message: String,
}

/// The file in which is kept what a policy has learned of one ladder on one processor.
#[derive(Clone, Debug)]
pub struct LearnedState {
    path: PathBuf,
    /// Why nothing can be kept there, which is told already.
    unusable: Option<ErrorKind>,
}

impl LearnedState {
    /// The state of `key` in `directory`.
    #[must_use]
    pub fn new(key: &ProfileKey, directory: &Path) -> Self {
        Self { path: key.file(&directory.join("learned")), unusable: None }
    }

    /// The same, of which it was told already why nothing can be kept there, if nothing can.
    pub(crate) fn told(self, unusable: Option<ErrorKind>) -> Self {
        Self { unusable, ..self }
    }

    /// What was kept; `None` if nothing was.
    ///
    /// # Errors
    /// When the file is unreadable, damaged or from another version.
    pub fn read(&self) -> Result<Option<Learned>, LearnedStateError> {
        let wrong = |message: String| LearnedStateError { path: self.path.clone(), message };
        let bytes = state_file::read(&self.path).map_err(|error| wrong(error.to_string()))?;
        bytes.map(|bytes| Learned::from_json(&bytes)).transpose().map_err(|error| wrong(error.to_string()))
    }

    /// Lets `engine` go on from what was kept, where that can be, and logs the outcome.
    fn restore(&self, engine: &mut Engine) {
        let wrong = |message: String| LearnedStateError { path: self.path.clone(), message };
        let restored = self.read().and_then(|learned| {
            let Some(learned) = learned else { return Ok(None) };
            let resumed = engine.resume(&learned).map_err(|error| wrong(error.to_string()))?;
            Ok(Some((learned, resumed)))
        });
        match restored {
            Ok(None) => {}
            Ok(Some((learned, Resumed::Whole))) => {
                log::info!("going on from what {} windows taught ({})", learned.windows(), self.path.display());
            }
            Ok(Some((learned, Resumed::WithoutProfile))) => log::info!(
                "going on from what {} windows taught ({}), but not of latencies: the profile is another one",
                learned.windows(),
                self.path.display()
            ),
            Ok(Some((learned, Resumed::Nothing))) => {
                log::info!("what the policy {} has learned does not help this one", learned.policy());
            }
            Err(error) => log::warn!("{error}; what was learned before is ignored and will be replaced"),
        }
    }
}

/// A place for the latest copy; clones share it.
type Shared = Arc<Mutex<Option<Learned>>>;

/// The engine's side: leaves copies.
pub(crate) struct SnapshotWriter {
    shared: Shared,
    /// Windows since the last copy.
    windows: u32,
}

impl SnapshotWriter {
    /// One more window was decided. Never waits, and allocates nothing.
    pub(crate) fn decided(&mut self, engine: &Engine) {
        self.windows = self.windows.saturating_add(1);
        if self.windows >= COPY_EVERY
            && let Ok(mut learned) = self.shared.try_lock()
        {
            engine.learned(&mut learned);
            self.windows = 0;
        }
    }

    /// Leaves the last copy: there will be no more windows.
    pub(crate) fn finish(&self, engine: &Engine) {
        if let Ok(mut learned) = self.shared.lock() {
            engine.learned(&mut learned);
        }
    }
}

/// The side that writes the file.
pub(crate) struct Persister {
    state: LearnedState,
    shared: Shared,
    /// Windows that the file knows of.
    written: u64,
    /// Kinds of failure that were logged.
    logged: Vec<ErrorKind>,
}

/// Lets `engine` go on from `state`, and makes both sides of keeping what it learns from here on.
pub(crate) fn restore(state: LearnedState, engine: &mut Engine) -> (SnapshotWriter, Persister) {
    state.restore(engine);
    let mut learned = None;
    // now, so that the engine's thread needs to allocate nothing
    engine.learned(&mut learned);
    let written = learned.as_ref().map_or(0, Learned::windows);
    let shared = Arc::new(Mutex::new(learned));
    let logged = state.unusable.into_iter().collect();
    (SnapshotWriter { shared: Arc::clone(&shared), windows: 0 }, Persister { state, shared, written, logged })
}

impl Persister {
    /// Writes the latest copy, unless the file knows it. A failure is logged once for each kind.
    pub(crate) fn write(&mut self) {
        let Ok(learned) = self.shared.lock() else { return };
        let Some(windows) = learned.as_ref().map(Learned::windows).filter(|windows| *windows != self.written) else {
            return;
        };
        let bytes = serde_json::to_vec(&*learned).map_err(std::io::Error::from);
        // the disk may take its time, and the engine may copy meanwhile
        drop(learned);
        match bytes.and_then(|bytes| state_file::replace(&self.state.path, &bytes)) {
            Ok(()) => self.written = windows,
            Err(error) if self.logged.contains(&error.kind()) => {}
            Err(error) => {
                log::warn!("{}: what was learned cannot be kept: {error}", self.state.path.display());
                self.logged.push(error.kind());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaitd_core::control::{
        Available, Candidate, Demand, INTERVAL, Load, Outlook, Policy, PolicySpec, Situation, Terms,
    };

    /// A place in which lies what a policy has learned, the policy, and the side that writes.
    fn persister(directory: &Path) -> (Shared, Box<dyn Policy>, Persister) {
        let [model, cpu, backend] = ["0123456789abcdef", "A CPU", "fake"].map(str::to_owned);
        let key = ProfileKey { model, cpu, backend };
        let candidates = [Candidate { accuracy: 0.9, latency: Duration::from_millis(1), halves: None, cascade: None }];
        let terms = Terms { budget: Duration::from_millis(50), guess_accuracy: 0.2 };
        let policy = PolicySpec::Bayes {}.make(&candidates, &["a".to_owned()], &terms).unwrap();
        let shared = Shared::default();
        policy.learned(&mut shared.lock().unwrap());
        let persister = Persister {
            state: LearnedState::new(&key, directory),
            shared: Arc::clone(&shared),
            written: 0,
            logged: Vec::new(),
        };
        (shared, policy, persister)
    }

    fn one_window(policy: &mut dyn Policy) {
        let demand = Demand::new(Duration::from_millis(50), 0.02);
        policy.choose(&Situation {
            demand: &demand,
            elapsed: INTERVAL,
            available: Available::all(demand.budget),
            lead: None,
            signals: Load::NONE,
            outlook: &[Outlook { accuracy: 0.9, cost: Duration::from_millis(1), short: None }],
            cost_limit: Duration::MAX,
        });
        policy.observe(0, Duration::from_millis(2));
    }

    #[test]
    fn only_what_the_file_does_not_know_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let (shared, mut policy, mut persister) = persister(directory.path());
        let state = persister.state.clone();
        assert_eq!(state.path, directory.path().join("learned/0123456789abcdef-a-cpu-fake.json"));
        persister.write();
        assert_eq!(state.read().unwrap(), None);
        one_window(policy.as_mut());
        policy.learned(&mut shared.lock().unwrap());
        persister.write();
        let read = state.read().unwrap();
        assert_eq!(read, *shared.lock().unwrap());
        assert_eq!(read.map(|learned| learned.windows()), Some(1));
        std::fs::remove_file(&state.path).unwrap();
        persister.write();
        assert_eq!(state.read().unwrap(), None);
        one_window(policy.as_mut());
        policy.learned(&mut shared.lock().unwrap());
        persister.write();
        assert_eq!(state.read().unwrap().map(|learned| learned.windows()), Some(2));
        // nothing else is left lying about
        assert_eq!(std::fs::read_dir(directory.path().join("learned")).unwrap().count(), 1);
    }

    #[test]
    fn each_kind_of_failure_is_logged_once_and_ends_with_its_cause() {
        let directory = tempfile::tempdir().unwrap();
        let (shared, mut policy, mut persister) = persister(directory.path());
        one_window(policy.as_mut());
        policy.learned(&mut shared.lock().unwrap());
        let obstacle = directory.path().join("learned");
        std::fs::write(&obstacle, "").unwrap();
        persister.write();
        persister.write();
        assert_eq!(persister.logged.len(), 1);
        assert_eq!(persister.state.read().unwrap(), None, "nothing can have been kept");
        std::fs::remove_file(&obstacle).unwrap();
        std::fs::create_dir_all(&persister.state.path).unwrap();
        persister.write();
        persister.write();
        assert_eq!(persister.logged.len(), 2);
        std::fs::remove_dir(&persister.state.path).unwrap();
        persister.write();
        assert_eq!(persister.state.read().unwrap().map(|learned| learned.windows()), Some(1));
    }
}
