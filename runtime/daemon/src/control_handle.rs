//! Settings that other threads read and change while the engine runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use gaitd_core::control::PolicyError;
use gaitd_core::engine::Settings;

struct Shared {
    plans: Vec<String>,
    knows_accuracy: bool,
    settings: Mutex<Settings>,
    /// Raised with every change, so that the engine need not lock to see that there was none.
    version: AtomicU64,
}

/// Reads and changes the settings of an engine, from any thread; a change holds from the next window on.
#[derive(Clone)]
pub struct ControlHandle(Arc<Shared>);

impl ControlHandle {
    /// A handle to `settings` for a ladder whose configurations and cascades are named `plans`, and of which each one's accuracy is known
    /// or not.
    ///
    /// # Errors
    /// See [`Settings::check`].
    pub fn new(plans: Vec<String>, knows_accuracy: bool, settings: Settings) -> Result<Self, PolicyError> {
        settings.check(&plans, knows_accuracy)?;
        Ok(Self(Arc::new(Shared { plans, knows_accuracy, settings: Mutex::new(settings), version: AtomicU64::new(0) })))
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        // settings are replaced whole, so a panic elsewhere leaves none half-changed
        crate::sync::lock(&self.0.settings)
    }

    /// The settings now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.lock().clone()
    }

    /// Changes the settings by `change`: all of what it changes, or nothing.
    ///
    /// # Errors
    /// When the result is out of range; everything then stays as it was. See [`Settings::check`].
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<(), PolicyError> {
        let mut settings = self.lock();
        let mut changed = settings.clone();
        change(&mut changed);
        changed.check(&self.0.plans, self.0.knows_accuracy)?;
        *settings = changed;
        self.0.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// The engine's side of this handle.
    #[must_use]
    pub fn watch(&self) -> SettingsWatch {
        // the version first: a change in between is seen once more
        let version = self.0.version.load(Ordering::Acquire);
        SettingsWatch { handle: self.clone(), version, settings: self.settings() }
    }
}

/// The latest settings of a [`ControlHandle`], for the engine's thread: it never waits for a thread that changes them.
pub struct SettingsWatch {
    handle: ControlHandle,
    version: u64,
    settings: Settings,
}

impl SettingsWatch {
    /// The settings now, or, while they are being changed, those before. Allocates only where they have changed.
    pub fn latest(&mut self) -> &Settings {
        let shared = &self.handle.0;
        let version = shared.version.load(Ordering::Acquire);
        if version != self.version {
            let settings = match shared.settings.try_lock() {
                Ok(settings) => Some(settings),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if let Some(settings) = settings {
                self.settings.clone_from(&settings);
                self.version = version;
            }
        }
        &self.settings
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gaitd_core::control::{Objective, PolicySpec};

    use super::*;

    fn handle(budget_ms: u64) -> ControlHandle {
        let settings = Settings::new(Duration::from_millis(budget_ms), 0.02, PolicySpec::default());
        ControlHandle::new(vec!["0.10x-96".to_owned(), "0.15x-96".to_owned()], true, settings).unwrap()
    }

    #[test]
    fn settings_out_of_range_are_refused_and_change_nothing() {
        let handle = handle(50);
        let mut watch = handle.watch();
        let before = handle.settings();
        let text = |change: &dyn Fn(&mut Settings)| handle.change(change).unwrap_err().to_string();
        assert!(text(&|s| s.budget = Duration::ZERO).contains("budget_ms is 0"));
        assert!(text(&|s| s.budget = Duration::from_secs(61)).contains("at most 60000"));
        let unknown = text(&|s| s.pinned = Some("2.00x-128".to_owned()));
        assert!(unknown.contains("no configuration 2.00x-128; it has 0.10x-96"), "{unknown}");
        let energy = Objective::Energy { accuracy_floor: f64::NAN };
        assert!(text(&|s| s.objective = energy).contains("accuracy_floor is NaN"));
        assert!(text(&|s| s.cpu_share = Some(0.0)).contains("cpu_budget_percent is 0"));
        assert!(text(&|s| s.miss_target = 1.5).contains("miss_target is 1.5"));
        let band = |s: &mut Settings| s.policy = PolicySpec::Step { band_ms: Some(51.0), average: 3 };
        assert!(text(&band).contains("band_ms is 51"));
        assert_eq!(handle.settings(), before);
        assert_eq!(*watch.latest(), before);
    }

    #[test]
    fn changes_from_another_thread_are_all_seen_whole() {
        let handle = handle(40);
        let mut watch = handle.watch();
        let changer = std::thread::spawn(move || {
            for round in 0..200 {
                let (budget, pinned) = if round % 2 == 0 { (20, "0.10x-96") } else { (40, "0.15x-96") };
                handle
                    .change(|settings| {
                        settings.budget = Duration::from_millis(budget);
                        settings.pinned = Some(pinned.to_owned());
                    })
                    .unwrap();
            }
        });
        let whole = |settings: &Settings| match settings.pinned.as_deref() {
            None => settings.budget == Duration::from_millis(40),
            Some(pinned) => (settings.budget == Duration::from_millis(40)) == (pinned == "0.15x-96"),
        };
        while !changer.is_finished() {
            assert!(whole(watch.latest()), "half a change was seen");
        }
        changer.join().unwrap();
        assert_eq!(watch.latest().pinned.as_deref(), Some("0.15x-96"));
    }
}
