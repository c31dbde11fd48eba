//! What can be asked of a running daemon, by a Unix signal or over the interfaces: how it is, changes, a reload.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::config::{Config, ConfigError};
use crate::account::RunCounters;
use crate::control_handle::ControlHandle;
use crate::interfaces::Interfaces;
use crate::learned_state::Persister;
use crate::load::LatestLoad;
use crate::os::service_manager::Notifier;
use crate::sync::lock;
use crate::threads::engine::HandoverTx;
use crate::threads::loader::LoaderThread;
use crate::threads::publishing::Publishers;
use crate::{Operator, Refusal};
use gaitd_api::{
    Activities, Aliveness, Change, ChangeError, Explanation, LadderView, Readiness, Reloaded, ReloadsView,
    SettingsEvent, SettingsView, Status,
};
use gaitd_core::clock::Clock;
use gaitd_core::ladder::{Library, Manifest, ProfileKey};

/// Reads the configuration again, with what flags say.
pub type Reconfigure = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// What is in force, and changes with a reload.
pub(crate) struct Active {
    pub(crate) config: Config,
    pub(crate) handle: ControlHandle,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) view: LadderView,
    pub(crate) key: ProfileKey,
    pub(crate) token: Option<String>,
}

/// Channel ends and threads through which a reload hands over the new engine and publishers.
pub(crate) struct ReloadChannels {
    pub(crate) engine: HandoverTx,
    pub(crate) publishers: Publishers,
    pub(crate) loader: LoaderThread,
}

/// A running daemon, as its operators see it.
pub(crate) struct Operations {
    pub(super) run: String,
    pub(super) library: Arc<Library>,
    pub(super) counters: Arc<RunCounters>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) load: Mutex<LatestLoad>,
    pub(super) active: Mutex<Active>,
    /// Apart from what is active, for it waits for the disk, and no answer shall.
    pub(super) persister: Mutex<Option<Persister>>,
    /// Locked while what is active is changed; `None` where the configuration cannot be read again, and
    /// at the end of the run.
    pub(super) reconfigure: Mutex<Option<Reconfigure>>,
    pub(super) reloads: Mutex<ReloadsView>,
    pub(super) channels: ReloadChannels,
    pub(super) interfaces: Interfaces,
    pub(super) notifier: Notifier,
}

/// What a run shares with its operators.
pub(crate) struct Shared {
    pub(crate) library: Arc<Library>,
    pub(crate) counters: Arc<RunCounters>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) load: LatestLoad,
    pub(crate) interfaces: Interfaces,
}

/// A name that tells this run from others.
pub(crate) fn run_name() -> String {
    // the standard library seeds each of these anew
    let seed = RandomState::new().hash_one(std::process::id());
    format!("{:08x}", seed as u32)
}

impl Operations {
    /// The run called `run`, with what is active at its beginning. With `reconfigure` it can be reloaded.
    pub(crate) fn new(
        run: String,
        shared: Shared,
        active: Active,
        persister: Option<Persister>,
        channels: ReloadChannels,
        reconfigure: Option<Reconfigure>,
    ) -> Self {
        let Shared { library, counters, clock, load, interfaces } = shared;
        Self {
            run,
            library,
            counters,
            clock,
            load: Mutex::new(load),
            active: Mutex::new(active),
            persister: Mutex::new(persister),
            reconfigure: Mutex::new(reconfigure),
            reloads: Mutex::default(),
            channels,
            interfaces,
            notifier: Notifier::default(),
        }
    }

    /// Speaks to the service manager.
    pub(crate) fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// The publishers, to end them.
    pub(crate) fn publishers(&self) -> &Publishers {
        &self.channels.publishers
    }

    /// Time since the run began.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.now().saturating_sub(self.counters.started)
    }

    /// Writes what was learned to its file.
    pub(crate) fn persist_learned(&self) {
        if let Some(persister) = &mut *lock(&self.persister) {
            persister.write();
        }
    }
}

impl Operator for Operations {
    fn status(&self) -> Status {
        self.status_now()
    }

    fn activities(&self) -> Activities {
        let manifest = Arc::clone(&lock(&self.active).manifest);
        self.counters.history().view(&manifest, self.clock.now())
    }

    fn alive(&self) -> Aliveness {
        self.aliveness()
    }

    fn ready(&self) -> Readiness {
        self.readiness(&self.source())
    }

    fn config(&self) -> serde_json::Value {
        // there is no secret in it: a token stands in a file of its own
        serde_json::to_value(&lock(&self.active).config).unwrap_or_default()
    }

    fn ladder(&self) -> LadderView {
        lock(&self.active).view.clone()
    }

    fn settings(&self) -> SettingsView {
        SettingsView::from(&lock(&self.active).handle.settings())
    }

    fn change(&self, change: &Change) -> Result<SettingsView, Refusal> {
        // a reload would end the change as soon as it was made
        let _changing = self.try_reconfigure()?;
        let (handle, manifest) = {
            let active = lock(&self.active);
            (active.handle.clone(), Arc::clone(&active.manifest))
        };
        if change.activity_aware == Some(true) && !manifest.knows_recall() {
            let reason = "activity_aware needs the recall of each activity, and this ladder does not know it";
            return Err(Refusal::Invalid(reason.to_owned()));
        }
        let invalid = |problem: ChangeError| Refusal::Invalid(problem.to_string());
        let changed = change.applied(&handle.settings()).map_err(invalid)?;
        handle.change(|settings| *settings = changed).map_err(|error| Refusal::Invalid(error.to_string()))?;
        let view = SettingsView::from(&handle.settings());
        log::info!("changed while running: {}", serde_json::to_string(change).unwrap_or_default());
        let stream = lock(&self.active).config.stream.clone();
        self.interfaces.post("settings", &SettingsEvent { stream, settings: view.clone() });
        Ok(view)
    }

    fn reload(&self) -> Result<Reloaded, Refusal> {
        self.reload_now(false)
    }

    fn explain(&self) -> Option<Explanation> {
        let mut explanation = self.counters.latest().as_ref().map(Explanation::from)?;
        let published = *self.counters.latest_published();
        let same = published.filter(|(window, _)| *window == explanation.window);
        explanation.publish_ms = same.map(|(_, took)| took.as_secs_f64() * 1e3);
        Some(explanation)
    }

    fn token(&self) -> Option<String> {
        lock(&self.active).token.clone()
    }

    fn hosts(&self) -> Vec<String> {
        lock(&self.active).config.http.as_ref().map(|http| http.hosts.clone()).unwrap_or_default()
    }
}
