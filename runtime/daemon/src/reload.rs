//! A reload: the configuration is read again and put into force beside the one that runs, or nothing changes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, TryLockError};
use std::time::Duration;

use crate::Refusal;
use crate::config::Config;
use crate::config::reload::{differing, needs_restart, reloadable};
use crate::learned_state::{self, Persister};
use crate::operations::{Active, Operations, Reconfigure};
use crate::prepare::{self, Prepared, StartError};
use crate::sync::lock;
use crate::threads::engine::ActiveEngine;
use crate::threads::publishing::PendingPublishers;
use gaitd_api::{ReloadEvent, ReloadOutcome, Reloaded, SettingsView};
use gaitd_core::engine::{Decision, Settings};
use gaitd_core::ladder::{Manifest, ProfileKey};

/// How long a new engine waits to be taken: an engine that is alive takes it after the window in its hands.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(10);

/// What was active before.
struct Before {
    config: Config,
    manifest: Arc<Manifest>,
    key: ProfileKey,
    settings: Settings,
}

/// What takes its place.
struct Next {
    active: Active,
    engine: ActiveEngine,
    persister: Option<Persister>,
    publishers: PendingPublishers,
}

impl Operations {
    /// Reads the configuration again and puts it into force; logs the outcome. Where something is being changed already,
    /// waits for that (`patient`) or refuses.
    pub(crate) fn reload_now(&self, patient: bool) -> Result<Reloaded, Refusal> {
        let reconfigure = if patient { lock(&self.reconfigure) } else { self.try_reconfigure()? };
        self.notifier.reloading();
        let outcome = match &*reconfigure {
            Some(reconfigure) => self.reload_by(reconfigure),
            None => Err("this run has no configuration that could be read again, or is about to end".to_owned()),
        };
        self.notifier.ready();
        let message = match &outcome {
            Ok(reloaded) => describe(reloaded),
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
        let stream = lock(&self.active).config.stream.clone();
        self.interfaces.post("reload", &ReloadEvent { stream, ok, message });
        outcome.map_err(Refusal::Invalid)
    }

    /// Waits for the end of a reload or change that is under way; later reloads are refused, and
    /// later changes come to nothing.
    pub(crate) fn end_reloads(&self) {
        *lock(&self.reconfigure) = None;
    }

    /// The right to change what is active.
    ///
    /// # Errors
    /// When it is being changed.
    pub(super) fn try_reconfigure(&self) -> Result<MutexGuard<'_, Option<Reconfigure>>, Refusal> {
        match self.reconfigure.try_lock() {
            Ok(reconfigure) => Ok(reconfigure),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(Refusal::Busy("a reload or a change is under way; try again when it is done".to_owned()))
            }
        }
    }

    fn reload_by(&self, reconfigure: &Reconfigure) -> Result<Reloaded, String> {
        let wanted = reconfigure().map_err(|error| error.to_string())?;
        wanted.check().map_err(|error| error.to_string())?;
        let before = self.before();
        let config = reloadable(&wanted, &before.config);
        let not_reloaded = differing(&config, &wanted);
        debug_assert!(not_reloaded.iter().all(|key| needs_restart(key)));
        let next = self.prepare(config, &before)?;
        let reloaded = Reloaded {
            changed: changes(&before, &next.active),
            not_reloaded,
            ended: overridden(&before.settings, &before.config.control.settings()),
        };
        self.put_into_force(next)?;
        Ok(reloaded)
    }

    fn before(&self) -> Before {
        let active = lock(&self.active);
        Before {
            config: active.config.clone(),
            manifest: Arc::clone(&active.manifest),
            key: active.key.clone(),
            settings: active.handle.settings(),
        }
    }

    /// Makes everything that `config` asks for, beside what runs.
    fn prepare(&self, config: Config, before: &Before) -> Result<Next, String> {
        let problem = |error: StartError| error.to_string();
        let token = config.token().map_err(|error| error.to_string())?;
        let Prepared { mut engine, wearer, handle, view, key, learned } =
            prepare::prepare(&self.channels.loader, &self.library, &config, &self.clock).map_err(problem)?;
        let manifest = Arc::clone(engine.ladder().manifest());
        let differences = before.manifest.differences(&manifest);
        if !differences.is_empty() {
            return Err(format!(
                "the model {} has another {} than {}, which runs; restart gaitd for it",
                manifest.name,
                differences.join(", "),
                before.manifest.name
            ));
        }
        let header = prepare::header(&config, &manifest);
        let mut publishers = prepare::outputs(&config, &header, None).map_err(problem)?;
        publishers.extend(self.interfaces.publishers(&header, &self.counters));
        let blank = Decision::empty(&manifest);
        let (publishers, queues) =
            self.publishers().spawn(publishers, &header, &blank).map_err(|error| problem(StartError::Thread(error)))?;
        let (settings, continues) = (handle.watch(), key == before.key);
        let (snapshots, persister) = learned.map(|learned| learned_state::restore(learned, &mut engine)).unzip();
        Ok(Next {
            active: Active { config, handle, manifest, view, key, token },
            engine: ActiveEngine { engine, wearer, settings, snapshots, continues, publishers: queues },
            persister,
            publishers,
        })
    }

    /// Hands `next` over to the threads.
    fn put_into_force(&self, next: Next) -> Result<(), String> {
        let Next { active, engine, persister, publishers } = next;
        let handover = &self.channels.engine;
        let missing = engine.engine.missing();
        if let Err(refused) = handover.next.send_timeout(engine, HANDOVER_PATIENCE) {
            let problem = if refused.is_disconnected() {
                "the engine has ended"
            } else {
                "the engine is stuck in a window and takes no other ladder"
            };
            // freed where it was made
            let _ = self.channels.loader.run(move || drop(refused));
            return Err(problem.to_owned());
        }
        // it has left the engine's thread with all that it learned
        let previous = handover.previous.recv_timeout(HANDOVER_PATIENCE);
        self.publishers().activate(publishers);
        self.counters.findings.respond(&active.config.plausibility);
        self.counters.missing.store(missing, Ordering::Relaxed);
        *lock(&self.active) = active;
        self.persist_learned();
        *lock(&self.persister) = persister;
        // its ladder is large, and is freed where it was made
        let _ = self.channels.loader.run(move || drop(previous));
        Ok(())
    }
}

/// The keys by which what is active differs from what was.
fn changes(before: &Before, active: &Active) -> Vec<String> {
    let mut changed = differing(&before.config, &active.config);
    if active.manifest != before.manifest && !changed.iter().any(|changed| changed == "models") {
        // other files in the same place; the networks may be the same, and their temperatures not
        changed.push("models".to_owned());
    }
    changed
}

/// The settings that were changed while the daemon ran, by name.
fn overridden(present: &Settings, configured: &Settings) -> Vec<String> {
    let [present, configured] = [present, configured].map(|settings| {
        let view = serde_json::to_value(SettingsView::from(settings)).unwrap_or_default();
        view.as_object().cloned().unwrap_or_default()
    });
    present.iter().filter(|(name, value)| configured.get(*name) != Some(value)).map(|(name, _)| name.clone()).collect()
}

/// The outcome of a reload in a sentence.
fn describe(reloaded: &Reloaded) -> String {
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
