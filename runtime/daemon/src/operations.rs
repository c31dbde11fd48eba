//! What can be asked of a running daemon, by a signal or over the interfaces: how it is, changes, a reload.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::config::{Config, ConfigError};
use super::prepare::{self, Prepared, StartError};
use crate::config::reload::{differing, needs_restart, reloadable};
use crate::learned_state::{self, Keeping};
use crate::load::LatestSignals;
use crate::os::service_manager::Notifier;
use crate::stream::counters::{Live, lock};
use crate::threads::engine::Deciding;
use crate::threads::loader::LoaderThread;
use crate::threads::observers::Audience;
use crate::threads::output::Successors;
use crate::{Operator, Refusal};
use gaitd_api::Misses;
use gaitd_api::WindowCounts;
use gaitd_api::{
    Aliveness, Change, ChangeError, Explanation, LadderView, MemoryView, ModelView, Readiness, ReloadOutcome, Reloaded,
    ReloadsView, SettingsView, SourceState, SourceView, Status,
};
use gaitd_core::clock::Clock;
use gaitd_core::engine::{ControlHandle, PublishReserve, Settings};
use gaitd_core::ladder::{Library, Manifest, ProfileKey};

/// An engine that has not moved for so long is taken for hung; nothing that it does takes a tenth of it.
const ENGINE_PATIENCE: Duration = Duration::from_secs(15);

/// Samples that have not come for so long have stopped.
const SILENCE: Duration = Duration::from_secs(2);

/// How long a new engine waits to be taken: an engine that is alive takes it after the window in its hands.
const EXCHANGE_PATIENCE: Duration = Duration::from_secs(10);

/// Reads the configuration again, with what flags say.
pub type Reconfigure = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// What is in force, and changes with a reload.
pub(crate) struct InForce {
    pub(crate) config: Config,
    pub(crate) handle: ControlHandle,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) view: LadderView,
    pub(crate) key: ProfileKey,
    pub(crate) token: Option<String>,
}

/// The ends of the ways on which a reload reaches the threads.
pub(crate) struct Ways {
    /// To the engine's thread, and back.
    pub(crate) next: Sender<Deciding>,
    pub(crate) before: Receiver<Deciding>,
    /// To the publishing thread.
    pub(crate) successors: Successors,
    pub(crate) succeed: Sender<Arc<Manifest>>,
}

/// Everything that is needed to answer.
pub(crate) struct Operations {
    pub(crate) run: String,
    pub(crate) library: Arc<Library>,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signals: Mutex<LatestSignals>,
    pub(crate) in_force: Mutex<InForce>,
    /// Apart from what is in force, for it waits for the disk, and nobody who asks shall.
    pub(crate) keeping: Mutex<Option<Keeping>>,
    /// Held by whoever changes what is in force; `None` where the configuration cannot be read again.
    pub(crate) changing: Mutex<Option<Reconfigure>>,
    pub(crate) reloads: Mutex<ReloadsView>,
    pub(crate) ways: Ways,
    pub(crate) loader: LoaderThread,
    pub(crate) reserve: PublishReserve,
    pub(crate) audience: Option<Arc<dyn Audience>>,
    pub(crate) notifier: Notifier,
}

/// A name that tells this run from others.
pub(crate) fn run_name() -> String {
    // the standard library seeds each of these anew
    let seed = RandomState::new().hash_one(std::process::id());
    format!("{:08x}", seed as u32)
}

impl Operations {
    /// Reads the configuration again and puts it into force. Where something is being changed already, waits for that
    /// (`patient`) or refuses.
    pub(crate) fn reload_now(&self, patient: bool) -> Result<Reloaded, Refusal> {
        let changing = if patient { lock(&self.changing) } else { self.try_change()? };
        self.notifier.reloading();
        let outcome = match &*changing {
            Some(reconfigure) => self.put_into_force(reconfigure),
            None => Err("this run has no configuration that could be read again".to_owned()),
        };
        self.notifier.ready();
        let message = match &outcome {
            Ok(reloaded) => told(reloaded),
            Err(problem) => format!("not reloaded, and everything stays as it was: {problem}"),
        };
        match &outcome {
            Ok(reloaded) if reloaded.not_reloaded.is_empty() => log::info!("{message}"),
            _ => log::warn!("{message}"),
        }
        let ok = outcome.is_ok();
        {
            let mut reloads = lock(&self.reloads);
            *(if ok { &mut reloads.done } else { &mut reloads.refused }) += 1;
            reloads.last = Some(ReloadOutcome { ok, at_s: self.uptime().as_secs_f64(), message: message.clone() });
        }
        self.post("reload", &serde_json::json!({"class": "reload", "ok": ok, "message": message}));
        outcome.map_err(Refusal::Invalid)
    }

    fn put_into_force(&self, reconfigure: &Reconfigure) -> Result<Reloaded, String> {
        let problem = |error: StartError| error.to_string();
        let wanted = reconfigure().map_err(|error| error.to_string())?;
        wanted.check().map_err(|error| error.to_string())?;
        let (present, present_manifest, present_key, present_settings) = {
            let in_force = lock(&self.in_force);
            let settings = in_force.handle.settings();
            (in_force.config.clone(), Arc::clone(&in_force.manifest), in_force.key.clone(), settings)
        };
        let config = reloadable(&wanted, &present);
        let token = config.token().map_err(|error| error.to_string())?;
        let Prepared { mut engine, view, key, memory } =
            prepare::prepare(&self.loader, &self.library, &config, self.reserve.clone(), &self.clock)
                .map_err(problem)?;
        let manifest = Arc::clone(engine.ladder().manifest());
        let other = present_manifest.task.differences(&manifest.task);
        if !other.is_empty() {
            return Err(format!(
                "the model {} has another {} than {}, which runs; restart gaitd for it",
                manifest.name,
                other.join(", "),
                present_manifest.name
            ));
        }
        let destination = prepare::destination(&config, &engine).map_err(problem)?;

        let mut changed = differing(&present, &config);
        if manifest != present_manifest && !changed.iter().any(|changed| changed == "models") {
            // other files in the same place; the networks may be the same, and their temperatures not
            changed.push("models".to_owned());
        }
        let not_reloaded = differing(&config, &wanted);
        debug_assert!(not_reloaded.iter().all(|key| needs_restart(key)));
        let ended = overridden(&present_settings, &present.control.settings());

        let context = destination.context.clone();
        let (handle, goes_on) = (engine.handle(), key == present_key);
        let (copying, keeping) = memory.map(|memory| learned_state::recall(memory, &mut engine)).unzip();
        // laid ready beforehand, for the first decision of the new engine may reach the publishing thread at once
        self.ways.successors.add(destination);
        if self.ways.next.send_timeout(Deciding { engine, copying, goes_on }, EXCHANGE_PATIENCE).is_err() {
            self.ways.successors.remove(&manifest);
            return Err("the engine is stuck in a window and takes no other ladder".to_owned());
        }
        // it has left the engine's thread with all that it learned
        let before = self.ways.before.recv_timeout(EXCHANGE_PATIENCE);
        // full: the publishing thread is stuck, and will see by the first decision
        let _ = self.ways.succeed.try_send(Arc::clone(&manifest));
        *lock(&self.in_force) = InForce { config, handle, manifest, view, key, token };
        self.keep_learned();
        *lock(&self.keeping) = keeping;
        // its ladder is large, and nobody waits for it to go
        let _ = self.loader.run(move || drop(before));
        if let Some(audience) = &self.audience {
            audience.greet(&context);
        }
        Ok(Reloaded { changed, not_reloaded, ended })
    }

    fn try_change(&self) -> Result<MutexGuard<'_, Option<Reconfigure>>, Refusal> {
        match self.changing.try_lock() {
            Ok(changing) => Ok(changing),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(Refusal::Busy("a reload or a change is under way; try again when it is done".to_owned()))
            }
        }
    }

    fn post(&self, name: &'static str, event: &impl serde::Serialize) {
        if let Some(audience) = &self.audience
            && let Ok(json) = serde_json::to_vec(event)
        {
            audience.post(name, &json);
        }
    }

    /// Since the run began.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.now().saturating_sub(self.live.started)
    }

    /// Writes what was learned to its file.
    pub(crate) fn keep_learned(&self) {
        if let Some(keeping) = &mut *lock(&self.keeping) {
            keeping.write();
        }
    }

    /// How the run goes, in a line for the service manager.
    pub(crate) fn summary_line(&self) -> String {
        let ready = self.ready();
        let (decided, misses) = (self.live.decided.get(), self.live.misses.get());
        let trouble = if ready.ready { String::new() } else { format!("; {}", ready.reasons.join("; ")) };
        format!("{decided} windows decided, {misses} late{trouble}")
    }

    fn source(&self) -> SourceView {
        let health = self.live.source.get();
        let sensed = *self.live.sensed();
        let age = sensed.latest.map(|latest| self.clock.now().saturating_sub(latest));
        let state = match (health.state, age) {
            (SourceState::Retrying | SourceState::Ended, _) => health.state,
            (_, None) => SourceState::Waiting,
            (_, Some(age)) if age > SILENCE => SourceState::Silent,
            _ => SourceState::Streaming,
        };
        let in_force = lock(&self.in_force);
        let source = &in_force.config.source;
        SourceView {
            name: source.name(),
            simulated: source.is_simulated(),
            state,
            detail: health.detail,
            failures: health.failures,
            last_sample_age_s: age.map(|age| age.as_secs_f64()),
            samples: sensed.stream,
        }
    }

    /// What became of the windows, of whose decisions `published` were published some time before.
    fn windows(&self, published: u64) -> WindowCounts {
        let live = &self.live;
        let (lost, decided, failed) = (live.lost.get(), live.decided.get(), live.failed.get());
        let sensed = *live.sensed();
        WindowCounts { produced: sensed.produced, decided, dropped: sensed.dropped, failed, published, lost }
    }

    fn readiness(&self, source: &SourceView) -> Readiness {
        let detail = source.detail.as_deref().unwrap_or("no reason is known");
        let mut reasons = Vec::new();
        match source.state {
            SourceState::Streaming => {}
            SourceState::Waiting => reasons.push("there was no sample yet".to_owned()),
            SourceState::Silent => {
                let age = source.last_sample_age_s.unwrap_or_default();
                reasons.push(format!("samples have stopped {age:.1} s ago"));
            }
            SourceState::Retrying => reasons.push(format!("the source cannot be read: {detail}")),
            SourceState::Ended => reasons.push("the source has ended".to_owned()),
        }
        reasons.extend(self.alive().reason);
        Readiness { ready: reasons.is_empty(), reasons }
    }
}

impl Operator for Operations {
    fn status(&self) -> Status {
        let source = self.source();
        let ready = self.readiness(&source);
        let live = &self.live;
        // in this order, so that what is on its way meanwhile never makes a sum exceed its whole
        let published = live.published.get();
        let slowdown = live.latest().as_ref().and_then(|decision| decision.slowdown);
        let (settings, model, ladder_bytes) = {
            let in_force = lock(&self.in_force);
            let model = ModelView {
                name: in_force.view.model.clone(),
                origin: self.library.files(in_force.config.models.as_deref()).origin(),
                hash: in_force.view.hash.clone(),
                configurations: in_force.view.configurations.len(),
            };
            (SettingsView::from(&in_force.handle.settings()), model, in_force.view.memory_bytes())
        };
        Status {
            class: "status",
            version: env!("CARGO_PKG_VERSION"),
            run: self.run.clone(),
            pid: std::process::id(),
            uptime_s: self.uptime().as_secs_f64(),
            alive: self.alive(),
            ready,
            model,
            source,
            windows: self.windows(published),
            misses: Misses::of(live.misses.get(), published),
            switches: live.switches.get(),
            output: live.output().clone(),
            settings,
            slowdown,
            signals: lock(&self.signals).get(self.clock.now()),
            memory: MemoryView { resident_bytes: resident_bytes(), ladder_bytes },
            reloads: lock(&self.reloads).clone(),
            listeners: self.audience.as_ref().map(|audience| audience.listeners()).unwrap_or_default(),
            subscribers: self.audience.as_ref().map_or(0, |audience| audience.subscribers()),
        }
    }

    fn alive(&self) -> Aliveness {
        let now = self.clock.now();
        let alive = self.live.heartbeat.is_alive(now, ENGINE_PATIENCE);
        let age = self.live.heartbeat.age(now).as_secs_f64();
        let reason = (!alive).then(|| format!("the engine has not moved for {age:.0} s"));
        Aliveness { alive, reason }
    }

    fn ready(&self) -> Readiness {
        self.readiness(&self.source())
    }

    fn config(&self) -> serde_json::Value {
        // there is no secret in it: a token stands in a file of its own
        serde_json::to_value(&lock(&self.in_force).config).unwrap_or_default()
    }

    fn ladder(&self) -> LadderView {
        lock(&self.in_force).view.clone()
    }

    fn settings(&self) -> SettingsView {
        SettingsView::from(&lock(&self.in_force).handle.settings())
    }

    fn change(&self, change: &Change) -> Result<SettingsView, Refusal> {
        // a reload would end the change as soon as it was made
        let _changing = self.try_change()?;
        let handle = lock(&self.in_force).handle.clone();
        let invalid = |problem: ChangeError| Refusal::Invalid(problem.to_string());
        let changed = change.applied(&handle.settings()).map_err(invalid)?;
        handle.change(|settings| *settings = changed).map_err(|error| Refusal::Invalid(error.to_string()))?;
        let view = SettingsView::from(&handle.settings());
        log::info!("changed while running: {}", serde_json::to_string(change).unwrap_or_default());
        self.post("settings", &view);
        Ok(view)
    }

    fn reload(&self) -> Result<Reloaded, Refusal> {
        self.reload_now(false)
    }

    fn explain(&self) -> Option<Explanation> {
        self.live.latest().as_ref().map(Explanation::from)
    }

    fn token(&self) -> Option<String> {
        lock(&self.in_force).token.clone()
    }

    fn hosts(&self) -> Vec<String> {
        lock(&self.in_force).config.http.as_ref().map(|http| http.hosts.clone()).unwrap_or_default()
    }
}

/// The settings that were changed while the daemon ran, by name.
fn overridden(present: &Settings, configured: &Settings) -> Vec<String> {
    let [present, configured] = [present, configured].map(|settings| {
        let view = serde_json::to_value(SettingsView::from(settings)).unwrap_or_default();
        view.as_object().cloned().unwrap_or_default()
    });
    present.iter().filter(|(name, value)| configured.get(*name) != Some(value)).map(|(name, _)| name.clone()).collect()
}

/// What came of a reload, in a sentence.
fn told(reloaded: &Reloaded) -> String {
    let Reloaded { changed, not_reloaded, ended } = reloaded;
    let mut message = if changed.is_empty() {
        "reloaded; the configuration is the same as before".to_owned()
    } else {
        format!("reloaded: {}", changed.join(", "))
    };
    if !not_reloaded.is_empty() {
        message += &format!("; not reloaded, for it needs a restart: {}", not_reloaded.join(", "));
    }
    if !ended.is_empty() {
        message += &format!("; as configured again: {}", ended.join(", "));
    }
    message
}

/// Resident memory of this process, where the system tells it.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
