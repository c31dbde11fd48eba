//! One run: from a source to published decisions, until the stream ends or the run is asked to stop.

use std::io::PipeWriter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select, tick};

use super::config::{Config, OnFailure, SourceSpec};
use super::operations::{Active, Operations, Reconfigure, ReloadChannels, Shared, run_name};
use super::prepare::{self, Prepared, StartError};
use crate::Operator;
use crate::account::{RunAccount, RunCounters};
use crate::config::source::{OpenError, Opened};
use crate::interfaces::{Interfaces, OnListening};
use crate::learned_state;
use crate::load::{LatestLoad, Sampling, SystemProbe};
use crate::os::activation::Activated;
use crate::os::service_manager::Notifier;
use crate::os::signals::Requests;
use crate::os::stop::Stop;
use crate::publish::RunHeader;
use crate::stream::rate::AchievedRate;
use crate::stream::reconnecting::{ReconnectingSource, is_pipe};
use crate::stream::wall_time::WallTime;
use crate::threads::engine::{self, ActiveEngine, EngineContext, EngineHandle};
use crate::threads::loader::LoaderThread;
use crate::threads::publishing::{NewPublisher, Publishers};
use crate::threads::sensing::Sensing;
use crate::threads::traces::Traces;
use crate::threads::{Cpu, spawn};
use gaitd_api::{LocalTime, Summary};
use gaitd_core::clock::Clock;
use gaitd_core::engine::Decision;
use gaitd_core::ladder::Library;
use gaitd_core::window::Intake;
use gaitd_sense::wearer::Truth;
use gaitd_sense::{Pace, SenseError, Source};

/// How often the service manager hears how the run goes, where it asks for no shorter interval.
const REPORTS: Duration = Duration::from_secs(10);

/// Everything that one run is made of, ready to go.
pub struct Plan {
    config: Config,
    /// What loads ladders, now and at each reload.
    library: Arc<Library>,
    activated: Activated,
    reconfigure: Option<Reconfigure>,
    loader: LoaderThread,
    prepared: Prepared,
    /// From samples to windows.
    intake: Intake,
    /// Where the samples come from.
    source: Box<dyn Source>,
    /// What the wearer really does, where that is known.
    truth: Option<Truth>,
    /// What all decisions have in common.
    header: RunHeader,
    outputs: Vec<NewPublisher>,
    /// To be told of the first sample.
    flowing: Sender<()>,
    /// To be told of each TCP port that is listened on.
    on_listening: Option<OnListening>,
    token: Option<String>,
    counters: Arc<RunCounters>,
    /// The clock of everything above.
    clock: Arc<dyn Clock>,
    stop: Stop,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A thread could not be started, or the pipe that ends it not be made.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// A thread ended in a way that it never should.
    #[error("internal error: the {0} thread panicked; please report this with the log")]
    Panicked(&'static str),
}

/// How a run ended.
#[derive(Debug)]
pub struct Ending {
    /// The account of the run.
    pub summary: Summary,
    /// What the source reported, if it failed.
    pub source: Option<SenseError>,
    /// The last write error of an output that was losing decisions at the end.
    pub output: Option<std::io::Error>,
}

impl Plan {
    /// Gets everything ready that `config` names: the ladder is loaded by `library`, verified, warmed up and measured, the source
    /// (unless it may be missing) and the output are open. With `reconfigure`, which gives the configuration as it
    /// stands then, the run can reload it. `activated` are the sockets that came with the process. A `stop` that is
    /// asked ends the run.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn new(
        config: Config,
        library: Arc<Library>,
        reconfigure: Option<Reconfigure>,
        activated: Activated,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Result<Self, StartError> {
        config.check()?;
        let token = config.token()?;
        let manifest = prepare::manifest(&library, &config)?;
        config.source.suits(&manifest.task.labels)?;
        let format = manifest.stream_format();
        let counters = Arc::new(RunCounters::new(clock.now()));
        // opened early so that a bad path fails before the ladder is measured
        let on_failure = config.source.on_failure();
        let Opened { source, truth } = match &config.source {
            // a pipe without a writer must not keep a stop waiting
            spec @ SourceSpec::File { path, .. }
                if on_failure == OnFailure::Retry || path.all().iter().any(|path| is_pipe(path)) =>
            {
                let source = ReconnectingSource::new(spec, path, &format, &clock, &counters.source);
                let source = spec.dressed(Box::new(source), &format).map_err(OpenError::from)?;
                Opened { source, truth: None }
            }
            source => source.open(&format, &clock)?,
        };
        let intake = manifest.intake()?;
        counters.findings.respond(&config.plausibility);
        // opened early for the same reason
        prepare::check_outputs(&config)?;
        let loader = LoaderThread::spawn().map_err(StartError::Thread)?;
        let prepared = prepare::prepare(&loader, &library, &config, &clock)?;
        let header = prepare::header(&config, prepared.engine.ladder().manifest());
        // of a stream that nobody waits for the first decision comes at once, or the refusal
        let (flowing, flows) = bounded(1);
        let outputs = prepare::outputs(&config, &header, Some(&flows).filter(|_| header.timed))?;
        Ok(Self {
            config,
            library,
            activated,
            reconfigure,
            loader,
            prepared,
            intake,
            source,
            truth,
            header,
            outputs,
            flowing,
            on_listening: None,
            token,
            counters,
            clock,
            stop,
        })
    }

    /// Lets `tell` know the address of each TCP port on which the HTTP interface listens, once it does.
    #[must_use]
    pub fn on_listening(self, tell: impl Fn(SocketAddr) + Send + Sync + 'static) -> Self {
        Self { on_listening: Some(Arc::new(tell)), ..self }
    }
}

/// Runs `plan` until its source ends or it is asked to stop; `requests` ask for reloads.
///
/// # Errors
/// When a thread cannot be made, or has panicked. A failing source or output stands in the [`Ending`], with the account
/// of what was done before.
pub fn run(plan: Plan, requests: &Requests) -> Result<Ending, DaemonError> {
    let Plan { config, library, activated, reconfigure, loader, prepared, intake, source, truth, .. } = plan;
    let Plan { header, outputs, flowing, on_listening, token, counters, clock, stop, .. } = plan;
    let Prepared { mut engine, wearer, handle, view, key, learned } = prepared;
    let (lossless, live) = (!config.source.is_timed(), config.source.pace() == Pace::Live);
    // a simulated wearer moves for as long as it is told
    let origin = (!config.source.is_simulated()).then(|| config.source.name());
    let (engine_cpu, other_cpu) = (config.cpus.first().copied(), config.cpus.last().copied());
    let manifest = Arc::clone(engine.ladder().manifest());
    let (snapshots, persister) = learned.map(|learned| learned_state::restore(learned, &mut engine)).unzip();
    let load = LatestLoad::default();
    let run = run_name();
    let (interfaces, listen) = Interfaces::new(&run, &config, activated, on_listening, &header);

    let (to_engine, beside) = bounded(engine::BESIDE);
    let account = RunAccount::new(&header, truth, to_engine, Arc::clone(&counters), interfaces.delivered());
    let publishers =
        Publishers::new(account, &header, Arc::clone(&counters), Arc::clone(&clock), stop.clone(), other_cpu, lossless);
    let all = outputs.into_iter().chain(interfaces.publishers(&header, &counters)).collect();
    let (pending, queues) = publishers.spawn(all, &header, &Decision::empty(&manifest)).map_err(DaemonError::Thread)?;
    publishers.activate(pending);

    let load_thread = LoadThread::spawn(&config.cpus, &load, &clock, other_cpu).map_err(DaemonError::Thread)?;
    let active =
        ActiveEngine { engine, wearer, settings: handle.watch(), snapshots, continues: false, publishers: queues };
    let context = EngineContext {
        load: load.clone(),
        beside,
        clock: Arc::clone(&clock),
        counters: Arc::clone(&counters),
        stop: stop.clone(),
        shortest: config.episodes.shortest(),
    };
    counters.missing.store(active.engine.missing(), Ordering::Relaxed);
    let EngineHandle { thread: engine_thread, windows, heads, handover } =
        engine::spawn(active, context, engine_cpu, lossless).map_err(DaemonError::Thread)?;

    let traces = Traces::new(interfaces.clone(), config.stream.clone(), manifest.stream_format());
    let shared = Shared {
        library,
        counters: Arc::clone(&counters),
        clock: Arc::clone(&clock),
        load,
        interfaces: interfaces.clone(),
    };
    let active = Active { config, handle, manifest, view, key, token };
    let channels = ReloadChannels { engine: handover, publishers, loader };
    let operations = Arc::new(Operations::new(run, shared, active, persister, channels, reconfigure));
    let open = interfaces.open(listen, &operations).map_err(DaemonError::Thread)?;
    let rate = AchievedRate::new(intake.rate_hz(), live);
    let wall = WallTime::new(!lossless);
    let flowing = Some(flowing);
    let sensing = Sensing {
        origin,
        rate,
        wall,
        source,
        intake,
        windows,
        heads,
        clock,
        stop: stop.clone(),
        counters,
        traces,
        flowing,
    }
    .spawn(other_cpu)
    .map_err(DaemonError::Thread)?;

    operations.notifier().ready();
    let reloads = watch(&sensing.over, &stop, requests, &operations);
    operations.notifier().stopping();

    let source = join(sensing.thread, "sense")?;
    join(engine_thread, "engine")?;
    operations.end_reloads();
    for reload in reloads {
        join(reload, "reload")?;
    }
    operations.persist_learned();
    load_thread.join()?;
    let (summary, output) = operations
        .publishers()
        .finish(source.is_some(), |summary| complete(summary, &operations))
        .map_err(|_| DaemonError::Panicked("publish"))?;
    open.close();
    Ok(Ending { summary, source, output })
}

/// The summary with what other threads than the publishers' have counted.
fn complete(mut summary: Summary, operations: &Operations) -> Summary {
    summary.time = LocalTime::now();
    summary.seconds = operations.uptime().as_secs_f64();
    let status = operations.status();
    summary.rate_hz = status.source.rate_hz;
    (summary.samples, summary.windows, summary.misses) = (status.source.samples, status.windows, status.misses);
    summary.implausible = status.source.implausible;
    summary
}

/// The thread that keeps the latest reading of the load.
struct LoadThread {
    thread: JoinHandle<()>,
    /// A pipe, for the thread waits for the kernel too; it ends when this is closed.
    running: PipeWriter,
}

impl LoadThread {
    fn spawn(cpus: &[usize], latest: &LatestLoad, clock: &Arc<dyn Clock>, cpu: Cpu) -> std::io::Result<Self> {
        let (cpus, latest, clock) = (cpus.to_vec(), latest.clone(), Arc::clone(clock));
        let (over, running) = std::io::pipe()?;
        // made in there, so that the threads that it starts run where this one does
        let thread = spawn("load", cpu, move || {
            Sampling::new(Box::new(SystemProbe::new(&cpus)), latest, clock).run(&over);
        })?;
        Ok(Self { thread, running })
    }

    fn join(self) -> Result<(), DaemonError> {
        drop(self.running);
        join(self.thread, "load")
    }
}

/// Returns when the source has ended or the run is asked to stop. Until then, keeps what is learned, reloads when that is
/// asked for, and reports to the service manager how the run goes. Returns the threads of the last reloads.
fn watch(
    sensing_over: &Receiver<()>,
    stop: &Stop,
    requests: &Requests,
    operations: &Arc<Operations>,
) -> Vec<JoinHandle<()>> {
    let persisting_due = tick(learned_state::INTERVAL);
    let watchdog = Notifier::watchdog_interval();
    let report_due = tick(watchdog.unwrap_or(REPORTS).min(REPORTS));
    let mut reported = String::new();
    let mut report = || {
        let now = operations.summary_line();
        if now != reported {
            operations.notifier().status(&now);
            reported = now;
        }
    };
    report();
    let mut reloads: Vec<JoinHandle<()>> = Vec::new();
    loop {
        select! {
            recv(sensing_over) -> _ => return reloads,
            recv(stop.woken()) -> _ => return reloads,
            recv(persisting_due) -> _ => operations.persist_learned(),
            recv(requests.reloads()) -> _ => {
                let operations = Arc::clone(operations);
                // in a thread of its own: the service manager must go on hearing of a live engine; reload_now logs its
                // own outcome
                match spawn("reload", None, move || drop(operations.reload_now(true))) {
                    Ok(reload) => reloads.push(reload),
                    Err(error) => log::error!("not reloaded: cannot start a thread: {error}"),
                }
                reloads.retain(|reload| !reload.is_finished());
            }
            recv(report_due) -> _ => {
                if operations.alive().alive && watchdog.is_some() {
                    operations.notifier().watchdog();
                }
                report();
            }
        }
    }
}

fn join<T>(thread: JoinHandle<T>, name: &'static str) -> Result<T, DaemonError> {
    thread.join().map_err(|_| DaemonError::Panicked(name))
}
