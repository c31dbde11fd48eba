//! How a running daemon is.

use std::sync::Arc;
use std::time::Duration;

use crate::Operator;
use crate::operations::Operations;
use crate::sync::lock;
use gaitd_api::{
    Aliveness, CascadeCounts, HeadCounts, MemoryView, Misses, ModelView, Readiness, SettingsView, SourceState,
    SourceView, Status, WindowCounts,
};
use gaitd_core::plausibility::Response;

/// An engine that has not moved for so long is taken for hung; nothing that it does takes a tenth of it.
const ENGINE_PATIENCE: Duration = Duration::from_secs(15);

/// Samples that have not come for so long have stopped.
const SILENCE: Duration = Duration::from_secs(2);

impl Operations {
    pub(super) fn status_now(&self) -> Status {
        let source = self.source();
        let ready = self.readiness(&source);
        let counters = &self.counters;
        // in this order, so that what is on its way meanwhile never makes a sum exceed its whole
        let misses = counters.misses.get();
        let published = counters.published.get();
        let slowdown = counters.latest().as_ref().and_then(|decision| decision.slowdown);
        let (stream, settings, model, manifest, ladder_bytes, timed, token) = {
            let active = lock(&self.active);
            let model = ModelView {
                name: active.view.model.clone(),
                origin: self.library.files(active.config.models.as_deref()).origin(),
                hash: active.view.hash.clone(),
                configurations: active.view.configurations.len(),
                backend: active.view.backend.clone(),
                kernels: active.view.kernels.clone(),
            };
            let stream = active.config.stream.clone();
            let (timed, token) = (active.config.source.is_timed(), active.token.is_some());
            let (manifest, bytes) = (Arc::clone(&active.manifest), active.view.memory_bytes());
            (stream, SettingsView::from(&active.handle.settings()), model, manifest, bytes, timed, token)
        };
        Status {
            stream,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: self.run.clone(),
            pid: std::process::id(),
            uptime_s: self.uptime().as_secs_f64(),
            alive: self.aliveness(),
            ready,
            model,
            source,
            outputs: self.publishers().outputs(),
            windows: self.windows(published),
            misses: timed.then(|| Misses::of(misses, published)),
            switches: counters.switches.get(),
            today: counters.history().today(&manifest),
            heads: HeadCounts {
                begun: counters.begun.get(),
                answered: counters.begun_answered.get(),
                late: counters.begun_late.get(),
            },
            cascades: CascadeCounts {
                not_needed: counters.second_not_needed.get(),
                answered: counters.second_answered.get(),
                no_time: counters.second_no_time.get(),
                failed: counters.second_failed.get(),
            },
            settings,
            slowdown,
            token,
            signals: lock(&self.load).get(self.clock.now()),
            memory: MemoryView { resident_bytes: resident_bytes(), ladder_bytes },
            reloads: lock(&self.reloads).clone(),
            listeners: self.interfaces.listeners(),
            subscribers: self.interfaces.subscribers(),
        }
    }

    pub(super) fn source(&self) -> SourceView {
        let health = self.counters.source.get();
        let sensed = *self.counters.sensed();
        let age = sensed.latest.map(|latest| self.clock.now().saturating_sub(latest));
        let state = match (health.state, age) {
            (SourceState::Retrying | SourceState::Ended, _) => health.state,
            (_, None) => SourceState::Waiting,
            (_, Some(age)) if age > SILENCE => SourceState::Silent,
            _ => SourceState::Streaming,
        };
        let active = lock(&self.active);
        let source = &active.config.source;
        SourceView {
            name: source.name(),
            simulated: source.is_simulated(),
            state,
            detail: health.detail,
            failures: health.failures,
            last_sample_age_s: age.map(|age| age.as_secs_f64()),
            samples: sensed.stream,
            implausible: self.counters.findings.views(&active.manifest.sensors(), &active.config.plausibility),
            rate_hz: sensed.rate_hz,
            delay_s: sensed.delay_s,
        }
    }

    /// What became of the windows, of whose decisions `published` were published some time before.
    fn windows(&self, published: u64) -> WindowCounts {
        let counters = &self.counters;
        let (lost, decided, failed) = (counters.lost.get(), counters.decided.get(), counters.failed.get());
        let overtaken = counters.overtaken.get();
        let sensed = *counters.sensed();
        let dropped = sensed.dropped + overtaken;
        WindowCounts { produced: sensed.produced, decided, dropped, held: sensed.held, failed, published, lost }
    }

    pub(super) fn aliveness(&self) -> Aliveness {
        let now = self.clock.now();
        let alive = self.counters.heartbeat.is_alive(now, ENGINE_PATIENCE);
        let age = self.counters.heartbeat.age(now).as_secs_f64();
        let reason = (!alive).then(|| format!("the engine has not moved for {age:.0} s"));
        Aliveness { alive, reason }
    }

    pub(super) fn readiness(&self, source: &SourceView) -> Readiness {
        let detail = source.detail.as_deref().unwrap_or("no reason is known");
        let mut reasons = Vec::new();
        match source.state {
            SourceState::Streaming | SourceState::Unknown => {}
            SourceState::Waiting => reasons.push("there was no sample yet".to_owned()),
            SourceState::Silent => {
                let age = source.last_sample_age_s.unwrap_or_default();
                reasons.push(format!("samples have stopped {age:.1} s ago"));
            }
            SourceState::Retrying => reasons.push(format!("the source cannot be read: {detail}")),
            SourceState::Ended => reasons.push("the source has ended".to_owned()),
        }
        let held = source.implausible.iter().filter(|fault| fault.present && fault.response == Response::Hold);
        reasons.extend(held.map(|fault| format!("implausible samples: {}", fault.explanation)));
        reasons.extend(self.aliveness().reason);
        Readiness { ready: reasons.is_empty(), reasons }
    }

    /// How the run goes, in a line for the service manager.
    pub(crate) fn summary_line(&self) -> String {
        let ready = self.ready();
        let (decided, misses) = (self.counters.decided.get(), self.counters.misses.get());
        let trouble = if ready.ready { String::new() } else { format!("; {}", ready.reasons.join("; ")) };
        let timed = lock(&self.active).config.source.is_timed();
        let late = if timed { format!(", {misses} late") } else { String::new() };
        format!("{decided} windows decided{late}{trouble}")
    }
}

/// Resident memory of this process, where the system says it.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
