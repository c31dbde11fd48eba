//! Running a rehearsal: measuring the quiet machine, then one phase after the other, all policies in turns.

use std::thread::Builder;
use std::time::Duration;

use super::bench::{Bench, quantile};
use super::co_runner::{CoRunner, CoRunnerError};
use super::doubts;
use super::expected;
use super::load::CoRunnerLoad;
use super::load_watch::LoadWatch;
use super::machine;
use super::outcome::{Course, Inference, Measured, Outcome, Phase};
use super::settings::{Experiment, PhasePlan, Problem, Rehearsed, Repeats, Settings, SettingsError};
use gaitd_core::clock::Clock;
use gaitd_core::control::{
    AlertConstants, Available, Candidate, Demand, INTERVAL, Outlook, Policy, PolicyError, PolicySpec, Situation, Terms,
};
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::ladder::{InferenceError, Ladder};
use gaitd_daemon::{Stop, cpu_name};

/// How long the most accurate configuration takes where the repeats are to be found: the paper's largest one on its device.
const PAPERS_LARGEST: Duration = Duration::from_millis(59);

/// A tick (a turn of every policy) starts no sooner than this after the one before: a machine that is much faster than
/// its budgets then rests in between, as it would with a sensor.
pub(super) const PACE: Duration = Duration::from_millis(50);

/// Turns of every configuration on the quiet machine, and fewer once these have taken too long.
const QUIET_TURNS: usize = 20;
const QUIET_LEAST: usize = 3;
const QUIET_LONGEST: Duration = Duration::from_secs(30);

/// A repeated inference that takes longer is refused: nothing could be ended in time.
const LONGEST_INFERENCE: Duration = Duration::from_secs(2);

/// A rehearsal that failed.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Nothing can be said of how often an answer is right.
    #[error(
        "a rehearsal adds up accuracies, and the manifest of this ladder does not know those of its configurations"
    )]
    NoAccuracy,
    /// A policy cannot be made.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The co-runner failed.
    #[error(transparent)]
    CoRunner(#[from] CoRunnerError),
    /// An inference failed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The engine's thread ended in a way that it never should.
    #[error("internal error: the engine thread panicked; please report this with the log")]
    Panicked,
}

impl ExitCode for RehearsalError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Policy(_) => exit::CONFIG,
            Self::NoAccuracy => exit::NO_INPUT,
            Self::CoRunner(_) => exit::OS,
            Self::Thread(_) => exit::IO,
            Self::Inference(_) | Self::Panicked => exit::SOFTWARE,
        }
    }
}

/// A rehearsal that is ready to run.
pub struct Rehearsal {
    settings: Settings,
    bench: Bench,
    cpu: Option<usize>,
    quiet_time: Duration,
}

impl Rehearsal {
    /// Checks `settings` and gets a first idea of `ladder`'s latencies, from which it finds the repeats and the time
    /// that the rehearsal will take.
    ///
    /// # Errors
    /// When the settings are out of range, would make one inference take longer than 2 s, or an inference fails.
    pub fn prepare(ladder: Ladder, settings: Settings) -> Result<Self, RehearsalError> {
        settings.check()?;
        if !ladder.manifest().knows_accuracy() {
            return Err(RehearsalError::NoAccuracy);
        }
        let mut bench = Bench::new(ladder)?;
        let pilot = bench.pilot()?;
        let slowest = (0..pilot.len()).max_by_key(|&rung| pilot[rung]).unwrap_or(0);
        let longest = pilot.get(slowest).copied().unwrap_or_default().max(Duration::from_nanos(1));
        bench.repeats = match settings.repeats {
            Repeats::Times(times) => times,
            Repeats::Auto => {
                // the one that `fixed` always runs, so that the budgets press as they do in the paper
                let accuracy =
                    |rung: &usize| bench.ladder.configurations()[*rung].accuracy.validation.unwrap_or_default();
                let best = (0..pilot.len()).max_by(|a, b| accuracy(a).total_cmp(&accuracy(b))).unwrap_or(0);
                let latency = pilot.get(best).copied().unwrap_or_default().max(Duration::from_nanos(1));
                (PAPERS_LARGEST.as_secs_f64() / latency.as_secs_f64()).round().clamp(1.0, 1e6) as u32
            }
        };
        let repeated = longest.saturating_mul(bench.repeats);
        if repeated > LONGEST_INFERENCE {
            let what = format!(
                ": repeated {} times, one inference of {} would take {:.1} s, and may take {} s at most",
                bench.repeats,
                bench.ladder.configurations()[slowest].id,
                repeated.as_secs_f64(),
                LONGEST_INFERENCE.as_secs()
            );
            return Err(SettingsError { problems: vec![Problem { field: Some("repeats"), what }] }.into());
        }
        let turn = pilot.iter().sum::<Duration>().saturating_mul(bench.repeats).max(PACE);
        let quiet_time = (turn * QUIET_TURNS as u32).min(QUIET_LONGEST.max(turn * QUIET_LEAST as u32));
        let cpu = settings.cpu.or_else(machine::first_cpu);
        Ok(Self { settings, bench, cpu, quiet_time })
    }

    /// How often each inference will be repeated.
    #[must_use]
    pub fn repeats(&self) -> u32 {
        self.bench.repeats
    }

    /// The processor on which the engine and the co-runners will meet.
    #[must_use]
    pub fn cpu(&self) -> Option<usize> {
        self.cpu
    }

    /// About how long it will take.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.quiet_time + self.settings.phases_time()
    }

    /// Runs all experiments, or as much of them as there is time for until `stop` is asked; nothing if not even the
    /// quiet machine could be measured. `progress` hears now and then how much of [`Rehearsal::time`] has passed.
    ///
    /// # Errors
    /// When a policy cannot be made, a co-runner or a thread cannot be started, or an inference fails. No co-runner is
    /// left behind.
    pub fn run(self, stop: &Stop, progress: impl FnMut(Duration) + Send) -> Result<Option<Outcome>, RehearsalError> {
        let Self { settings, bench, cpu, quiet_time } = self;
        // started from here, where nothing is pinned yet
        let signals = LoadWatch::start(cpu, machine::other_cpu(cpu)).map_err(RehearsalError::Thread)?;
        std::thread::scope(|scope| {
            let body = || {
                let pinned = cpu.filter(|&id| core_affinity::set_for_current(core_affinity::CoreId { id }));
                let passed = Duration::ZERO;
                let stage = Stage { settings, bench, cpu: pinned, signals, stop, interrupted: false, progress, passed };
                stage.play(quiet_time)
            };
            let engine = Builder::new().name("gaitd-engine".to_owned()).spawn_scoped(scope, body);
            engine.map_err(RehearsalError::Thread)?.join().map_err(|_| RehearsalError::Panicked)?
        })
    }
}

/// Everything that the engine's thread needs.
struct Stage<'a, Progress> {
    settings: Settings,
    bench: Bench,
    cpu: Option<usize>,
    signals: LoadWatch,
    stop: &'a Stop,
    /// A co-runner was interrupted, as this process is at the same time. `stop` must hear it from the signal itself: one
    /// that comes when it has been asked already is a second one, and ends the process at once.
    interrupted: bool,
    progress: Progress,
    /// How much of the time has passed in the parts that are over.
    passed: Duration,
}

impl<Progress: FnMut(Duration)> Stage<'_, Progress> {
    /// Whether to end early.
    fn over(&self) -> bool {
        self.interrupted || self.stop.asked()
    }

    fn play(mut self, quiet_time: Duration) -> Result<Option<Outcome>, RehearsalError> {
        let Some(configurations) = self.measure_quiet(quiet_time)? else { return Ok(None) };
        let mut courses = Vec::new();
        for experiment in self.settings.experiments.clone() {
            if self.over() {
                break;
            }
            courses.push(self.experiment(experiment, &configurations)?);
        }
        let manifest = self.bench.ladder.manifest();
        let mut outcome = Outcome {
            machine: cpu_name(),
            cpu: self.cpu,
            model: manifest.name.clone(),
            labels: manifest.task.labels.len(),
            repeats: self.bench.repeats,
            configurations,
            policies: self.settings.policies.iter().map(|policy| policy.name().to_owned()).collect(),
            courses,
            warnings: Vec::new(),
            settings: self.settings,
        };
        outcome.warnings = doubts::of(&outcome);
        Ok(Some(outcome))
    }

    /// Measures every configuration on the quiet machine, in turns; nothing if it was stopped meanwhile.
    fn measure_quiet(&mut self, time: Duration) -> Result<Option<Vec<Measured>>, RehearsalError> {
        let rungs = self.bench.ladder.configurations().len();
        let mut latencies = vec![Vec::with_capacity(QUIET_TURNS); rungs];
        let clock = self.bench.clock;
        let start = clock.now();
        for turn in 0..QUIET_TURNS {
            let tick = clock.now();
            if turn >= QUIET_LEAST && tick.saturating_sub(start) > QUIET_LONGEST {
                break;
            }
            for (rung, latencies) in latencies.iter_mut().enumerate() {
                if self.over() {
                    return Ok(None);
                }
                latencies.push(self.bench.infer(rung)?);
            }
            (self.progress)(clock.now().saturating_sub(start).min(time));
            clock.wait_until(tick + PACE);
        }
        self.passed = time;
        let configurations = self.bench.ladder.configurations().iter();
        let measured = configurations.zip(&mut latencies).map(|(configuration, latencies)| Measured {
            id: configuration.id.clone(),
            accuracy: configuration.accuracy.validation.unwrap_or_default(),
            macs: configuration.macs,
            latency: quantile(latencies, 0.5),
            p90: quantile(latencies, 0.9),
        });
        Ok(Some(measured.collect()))
    }

    fn policies(
        &self,
        candidates: &[Candidate],
        ids: &[String],
        alert_fitted: Option<AlertConstants>,
    ) -> Result<Vec<Box<dyn Policy>>, RehearsalError> {
        let settings = &self.settings;
        let largest = settings.budgets_ms.iter().copied().fold(settings.budget_ms, f64::max);
        let terms = Terms {
            budget: Duration::from_secs_f64(largest / 1e3),
            guess_accuracy: self.bench.ladder.manifest().guess_accuracy(),
        };
        let make = |policy: &Rehearsed| {
            let constants = alert_fitted.unwrap_or_default();
            let spec = match policy {
                Rehearsed::Policy(spec) => spec.clone(),
                Rehearsed::AlertFitted => PolicySpec::Alert { constants },
            };
            Ok(spec.make(candidates, ids, &terms)?)
        };
        settings.policies.iter().map(make).collect()
    }

    /// One experiment with fresh policies.
    fn experiment(&mut self, experiment: Experiment, configurations: &[Measured]) -> Result<Course, RehearsalError> {
        let candidates: Vec<Candidate> = configurations
            .iter()
            .map(|c| Candidate { accuracy: c.accuracy, latency: c.latency, halves: None, cascade: None })
            .collect();
        let ids: Vec<String> = configurations.iter().map(|c| c.id.clone()).collect();
        let outlook: Vec<Outlook> =
            configurations.iter().map(|c| Outlook { accuracy: c.accuracy, cost: c.latency, short: None }).collect();
        let alert_fitted = if self.settings.policies.contains(&Rehearsed::AlertFitted) {
            let labels = self.bench.ladder.manifest().task.labels.len();
            Some(expected::fitted(&self.settings, experiment, configurations, labels)?)
        } else {
            None
        };
        let mut players = Players { policies: self.policies(&candidates, &ids, alert_fitted)?, outlook, turn: 0 };
        let start = self.bench.clock.now();
        let (phases, inferences) = (Vec::new(), Vec::new());
        let mut course = Course { experiment, alert_fitted, phases, inferences, complete: true };
        for plan in self.settings.phases(experiment) {
            if self.over() {
                break;
            }
            self.phase(&plan, start, &mut players, &mut course)?;
        }
        course.complete = !self.over();
        Ok(course)
    }

    /// One phase: ticks until its time is over. The phase is recorded even where it was stopped.
    fn phase(
        &mut self,
        plan: &PhasePlan,
        start: Duration,
        players: &mut Players,
        course: &mut Course,
    ) -> Result<(), RehearsalError> {
        let clock = self.bench.clock;
        let index = course.phases.len();
        let mut co_runner = match self.co_runner(plan, index as u64) {
            Err(CoRunnerError::Interrupted) => {
                self.interrupted = true;
                return Ok(());
            }
            Err(_) if self.over() => return Ok(()),
            co_runner => co_runner?,
        };
        let begin = clock.now();
        let end = begin + Duration::from_secs_f64(self.settings.seconds_per_phase);
        let demand = Demand::new(plan.budget, self.settings.miss_target);
        'ticks: loop {
            let tick = clock.now();
            for _ in 0..players.policies.len() {
                if self.over() || clock.now() >= end {
                    break 'ticks;
                }
                let signals = self.signals.get();
                let policy = players.turn % players.policies.len();
                players.turn += 1;
                let choice = players.policies[policy].choose(&Situation {
                    demand: &demand,
                    // a rehearsal presses what happens in an hour into minutes: a turn stands for a window
                    elapsed: INTERVAL,
                    available: Available::all(plan.budget),
                    lead: None,
                    signals,
                    outlook: &players.outlook,
                    cost_limit: Duration::MAX,
                });
                let begun = clock.now().saturating_sub(start);
                let latency = self.bench.infer(choice.plan)?;
                players.policies[policy].observe(choice.plan, latency);
                let rung = choice.plan;
                course.inferences.push(Inference { policy, phase: index, start: begun, rung, latency, signals });
            }
            if let Some(co_runner) = &mut co_runner {
                match co_runner.check() {
                    Err(_) if self.over() => break,
                    at_work => at_work?,
                }
            }
            // another policy begins the next tick
            players.turn += 1;
            (self.progress)(self.passed + clock.now().saturating_sub(begin));
            clock.wait_until((tick + PACE).min(end));
        }
        self.passed += Duration::from_secs_f64(self.settings.seconds_per_phase);
        let now = clock.now();
        course.phases.push(Phase {
            name: plan.name.clone(),
            budget: plan.budget,
            load: plan.load,
            start: begin.saturating_sub(start),
            end: now.saturating_sub(start),
        });
        Ok(())
    }

    fn co_runner(&self, plan: &PhasePlan, seed: u64) -> Result<Option<CoRunner>, CoRunnerError> {
        if plan.load == 0.0 {
            return Ok(None);
        }
        let load = CoRunnerLoad { kind: self.settings.load_kind, share: plan.load, cpu: self.cpu, seed };
        CoRunner::start(&self.settings.program, &load).map(Some)
    }
}

/// The policies that take turns.
struct Players {
    policies: Vec<Box<dyn Policy>>,
    outlook: Vec<Outlook>,
    turn: usize,
}
