//! One run: from a source to published decisions, until the stream ends or somebody asks to stop.

use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, select, tick};

use super::config::{Config, OnFailure, SourceSpec};
use super::operations::{InForce, Operations, Reconfigure, Ways, run_name};
use super::prepare::{self, Prepared, StartError};
use crate::Operator;
use crate::config::source::Opened;
use crate::interfaces::Service;
use crate::learned_state;
use crate::load::{LatestSignals, Sampling, SystemProbe};
use crate::os::activation::Activated;
use crate::os::service_manager::Notifier;
use crate::os::signals::Requests;
use crate::os::stop::Stop;
use crate::stream::counters::Live;
use crate::stream::reconnecting::{ReconnectingSource, is_pipe};
use crate::threads::decision_queue::lane;
use crate::threads::engine::{Deciding, Exchange, Inference};
use crate::threads::loader::LoaderThread;
use crate::threads::observers::Showing;
use crate::threads::output::{Destination, Publishing, Successors};
use crate::threads::sensing::{Sensing, Windows};
use gaitd_api::Summary;
use gaitd_api::{OutputState, OutputView};
use gaitd_core::clock::Clock;
use gaitd_core::engine::{Decision, PublishReserve};
use gaitd_core::ladder::Library;
use gaitd_core::window::{Intake, Window};
use gaitd_sense::wearer::Truth;
use gaitd_sense::{Pace, SenseError, Source};

/// Window buffers: one in the engine's hands, one waiting for it, one being filled.
const WINDOWS: usize = 3;

/// Reloads of which a publishing thread that is held up may be told later.
const RELOADS: usize = 8;

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
    destination: Destination,
    token: Option<String>,
    live: Arc<Live>,
    /// The reserve that the engine sets aside for publishing.
    reserve: PublishReserve,
    /// The clock of everything above.
    clock: Arc<dyn Clock>,
    stop: Stop,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// A pipe between threads could not be made.
    #[error("cannot make a pipe between threads: {0}")]
    Pipe(std::io::Error),
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
        let format = manifest.stream_format();
        let live = Arc::new(Live::new(clock.now(), OutputView { state: OutputState::None, detail: None }));
        // opened before the ladder is measured, so that a wrong path is told at once
        let on_failure = config.source.on_failure();
        let Opened { source, truth } = match &config.source {
            // a pipe nobody writes to yet must not keep a stop waiting
            SourceSpec::File { path, pace, .. } if on_failure == OnFailure::Retry || is_pipe(path) => Opened {
                source: Box::new(ReconnectingSource::new(
                    path,
                    on_failure,
                    *pace,
                    format,
                    Arc::clone(&clock),
                    live.source.clone(),
                )),
                truth: None,
            },
            source => source.open(&format, &clock)?,
        };
        let intake = manifest.intake()?;
        let reserve = PublishReserve::default();
        // likewise
        prepare::open_output(&config)?;
        let loader = LoaderThread::spawn().map_err(StartError::Thread)?;
        let prepared = prepare::prepare(&loader, &library, &config, reserve.clone(), &clock)?;
        let destination = prepare::destination(&config, &prepared.engine)?;
        if destination.output.is_some() {
            live.output().state = OutputState::Writing;
        }
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
            destination,
            token,
            live,
            reserve,
            clock,
            stop,
        })
    }
}

/// Runs `plan` until its source ends or it is asked to stop; `requests` ask for reloads.
///
/// # Errors
/// When a thread or a pipe between threads cannot be made, or a thread panicked. A failing source or output is told in
/// the [`Ending`], with the account of what was done before.
pub fn run(plan: Plan, requests: &Requests) -> Result<Ending, DaemonError> {
    let Plan {
        config,
        library,
        activated,
        reconfigure,
        loader,
        prepared: Prepared { mut engine, view, key, memory },
        intake,
        source,
        truth,
        destination,
        token,
        live,
        reserve,
        clock,
        stop,
    } = plan;
    let lossless = config.source.pace() == Pace::Fast;
    let started = clock.now();
    let manifest = Arc::clone(engine.ladder().manifest());
    let task = &manifest.task;
    let (engine_cpu, other_cpu) = (config.cpus.first().copied(), config.cpus.last().copied());
    let (copying, keeping) = memory.map(|memory| learned_state::recall(memory, &mut engine)).unzip();

    let run = run_name();
    let service = Service::new(&run, &config, activated, &destination.context);
    let audience = service.as_ref().map(Service::audience);

    let (spare_windows, recycled_windows) = bounded(WINDOWS);
    for _ in 0..WINDOWS {
        let _ = spare_windows.send(Box::new(Window::new(task.channels.len(), task.window)));
    }
    let (windows, incoming) = bounded(1);
    let blank = Decision::empty(&manifest);
    let (output_lane, output_inbox) = lane(&blank, lossless, Some(Arc::clone(&live)));
    let (sensing_goes_on, sensing_over) = bounded(0);
    let (next, next_engine) = bounded(0);
    let (before, engine_before) = bounded(1);
    let (succeed, succession) = bounded(RELOADS);
    // a pipe, for the signals' thread waits for the kernel too
    let (run_over, running) = std::io::pipe().map_err(DaemonError::Pipe)?;
    let signals = LatestSignals::default();
    let successors = Successors::default();

    let operations = Arc::new(Operations {
        run,
        library,
        live: Arc::clone(&live),
        clock: Arc::clone(&clock),
        signals: Mutex::new(signals.clone()),
        in_force: Mutex::new(InForce {
            handle: engine.handle(),
            manifest: Arc::clone(&manifest),
            view,
            key,
            token,
            config,
        }),
        keeping: Mutex::new(keeping),
        changing: Mutex::new(reconfigure),
        reloads: Mutex::default(),
        ways: Ways { next, before: engine_before, successors: successors.clone(), succeed },
        loader,
        reserve: reserve.clone(),
        audience: audience.clone(),
        notifier: Notifier::default(),
    });
    let service = service.map(|service| service.start(&operations)).transpose().map_err(DaemonError::Thread)?;

    let probe = Box::new(SystemProbe::new(&crate::stream::counters::lock(&operations.in_force).config.cpus));
    let sampling = Sampling::new(probe, signals.clone(), Arc::clone(&clock));
    let signals_thread = spawn("signals", other_cpu, move || sampling.follow(&run_over))?;
    let publishing = Publishing::new(
        destination,
        successors,
        truth,
        reserve,
        Arc::clone(&clock),
        Arc::clone(&live),
        audience.clone(),
        stop.clone(),
    );
    let publish_thread = spawn("publish", other_cpu, move || publishing.follow(&output_inbox, &succession))?;
    let mut lanes = vec![output_lane];
    let show_thread = match &audience {
        None => None,
        Some(audience) => {
            let (lane, inbox) = lane(&blank, false, None);
            lanes.push(lane);
            let (audience, live, clock) = (Arc::clone(audience), Arc::clone(&live), Arc::clone(&clock));
            let showing = Showing { audience, live, clock };
            Some(spawn("show", other_cpu, move || showing.follow(&inbox))?)
        }
    };
    let inference = Inference::new(
        Deciding { engine, copying, goes_on: false },
        Exchange { next: next_engine, before },
        signals,
        Arc::clone(&clock),
        lanes,
        Arc::clone(&live),
        stop.clone(),
    );
    let format = manifest.stream_format();
    let sensing =
        Sensing::new(source, intake, Arc::clone(&clock), stop.clone(), Arc::clone(&live), audience.clone(), &format);
    // windows are overtaken only where the source cannot wait
    let windows =
        Windows { queue: windows, overtaken: (!lossless).then(|| incoming.clone()), recycled: recycled_windows };
    let engine_thread = spawn("engine", engine_cpu, move || inference.follow(&incoming, &spare_windows))?;
    let sense_thread = spawn("sense", other_cpu, move || {
        // disconnects when the thread ends, however it ends
        let _sensing_goes_on = sensing_goes_on;
        sensing.follow(&windows)
    })?;

    operations.notifier.ready();
    watch(&sensing_over, &stop, requests, &operations);
    operations.notifier.stopping();
    let source = join(sense_thread, "sense")?;
    join(engine_thread, "engine")?;
    let mut published = join(publish_thread, "publish")?;
    if let Some(show_thread) = show_thread {
        join(show_thread, "show")?;
    }
    operations.keep_learned();
    drop(running);
    join(signals_thread, "signals")?;

    let mut summary = published.summary();
    summary.seconds = clock.now().saturating_sub(started).as_secs_f64();
    let status = operations.status();
    (summary.stream, summary.windows, summary.misses) = (status.source.samples, status.windows, status.misses);
    published.write_summary(&summary);
    if let Some(service) = service {
        service.stop();
    }
    Ok(Ending { summary, source, output: published.into_error() })
}

/// Returns when the source has ended or the run is asked to stop. Until then, keeps what is learned, reloads when that is asked for, and tells the service manager how the run goes.
fn watch(sensing_over: &Receiver<()>, stop: &Stop, requests: &Requests, operations: &Arc<Operations>) {
    let keeping_due = tick(learned_state::INTERVAL);
    let watched = Notifier::watchdog_interval();
    let report_due = tick(watched.unwrap_or(REPORTS).min(REPORTS));
    let mut told = String::new();
    let mut report = || {
        let now = operations.summary_line();
        if now != told {
            operations.notifier.status(&now);
            told = now;
        }
    };
    report();
    loop {
        select! {
            recv(sensing_over) -> _ => return,
            recv(stop.woken()) -> _ => return,
            recv(keeping_due) -> _ => operations.keep_learned(),
            recv(requests.reloads()) -> _ => {
                // in a thread of its own: the service manager must go on hearing of a live engine
                let operations = Arc::clone(operations);
                // it tells what came of it
                if let Err(error) = spawn("reload", None, move || drop(operations.reload_now(true))) {
                    log::error!("not reloaded: {error}");
                }
            }
            recv(report_due) -> _ => {
                if operations.alive().alive && watched.is_some() {
                    operations.notifier.watchdog();
                }
                report();
            }
        }
    }
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    cpu: Option<usize>,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, DaemonError> {
    Builder::new()
        .name(format!("gaitd-{name}"))
        .spawn(move || {
            if let Some(id) = cpu
                && !core_affinity::set_for_current(core_affinity::CoreId { id })
            {
                log::warn!("the {name} thread cannot be pinned to processor {id}; it runs on any");
            }
            body()
        })
        .map_err(DaemonError::Thread)
}

fn join<T>(thread: JoinHandle<T>, name: &'static str) -> Result<T, DaemonError> {
    thread.join().map_err(|_| DaemonError::Panicked(name))
}
