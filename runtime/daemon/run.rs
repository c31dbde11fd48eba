//! One run: from a source to published decisions, until the stream ends or somebody asks to stop.

use std::io::Write;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, select, tick};

use super::inference::Inference;
use super::memory::{self, Keeping, Memory};
use super::publishing::{Outbox, Publishing};
use super::sensing::{Sensed, Sensing};
use super::signals::{LatestSignals, Sampling};
use super::stop::Stop;
use crate::control::SignalProbe;
use crate::engine::{Decision, Engine, PublishReserve};
use crate::publish::{Context, Summary};
use crate::sense::wearer::Truth;
use crate::sense::{Clock, SenseError, Source};
use crate::window::{Intake, Window};

/// Decisions that may wait for a slow output before the oldest one is lost.
const OUTPUT_QUEUE: usize = 64;

/// Window buffers: one in the engine's hands, one waiting for it, one being filled.
const WINDOWS: usize = 3;

/// How long a run that was asked to stop waits for a source that is still waiting for a sample.
const SOURCE_PATIENCE: Duration = Duration::from_millis(250);

/// Everything that one run is made of.
pub struct Plan {
    /// Where the samples come from.
    pub source: Box<dyn Source>,
    /// The source can wait: no window is dropped, the source is held back instead.
    pub lossless: bool,
    /// What the wearer really does, where that is known.
    pub truth: Option<Truth>,
    /// From samples to windows.
    pub intake: Intake,
    /// From windows to decisions.
    pub engine: Engine,
    /// Where what the policy learns of this device is kept, if anywhere: it must come from windows that were paced as a
    /// sensor paces them, for inferences straight after each other take another time.
    pub memory: Option<Memory>,
    /// The reserve that `engine` sets aside for publishing.
    pub reserve: PublishReserve,
    /// Reads the signals of load.
    pub probe: Box<dyn SignalProbe>,
    /// What all lines have in common.
    pub context: Context,
    /// Write readable lines; NDJSON otherwise.
    pub text: bool,
    /// Where the lines go.
    pub output: Box<dyn Write + Send>,
    /// Processors to pin the threads to, as in the configuration.
    pub cpus: Vec<usize>,
    /// The clock of everything above.
    pub clock: Arc<dyn Clock>,
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
    /// The last write error of an output that lost decisions.
    pub output: Option<std::io::Error>,
}

/// Runs `plan` until its source ends or `stop` is asked.
///
/// # Errors
/// When a thread or a pipe between threads cannot be made, or a thread panicked. A failing source or output is told in
/// the [`Ending`], with the account of what was done before.
pub fn run(plan: Plan, stop: &Stop) -> Result<Ending, DaemonError> {
    let Plan {
        source,
        lossless,
        truth,
        intake,
        mut engine,
        memory,
        reserve,
        probe,
        context,
        text,
        output,
        cpus,
        clock,
    } = plan;
    let (copying, mut keeping) = memory.map(|memory| memory::recall(memory, &mut engine)).unzip();
    let started = clock.now();
    let task = &engine.ladder().manifest().task;
    let (engine_cpu, other_cpu) = (cpus.first().copied(), cpus.last().copied());

    let (spare_windows, recycled_windows) = bounded(WINDOWS);
    for _ in 0..WINDOWS {
        let _ = spare_windows.send(Box::new(Window::new(task.channels.len(), task.window)));
    }
    // beside the queue, one decision in the engine's hands and one in the publisher's
    let (spare_decisions, recycled_decisions) = bounded(OUTPUT_QUEUE + 2);
    for _ in 0..OUTPUT_QUEUE + 2 {
        let _ = spare_decisions.send(Box::new(Decision::empty(engine.ladder().manifest())));
    }
    let (windows, incoming) = bounded(1);
    let (decisions, outgoing) = bounded(OUTPUT_QUEUE);
    let (sensing_goes_on, sensing_over) = bounded(0);
    let (halt_engine, engine_halted) = bounded(0);
    // a pipe, for the signals' thread waits for the kernel too
    let (run_over, running) = std::io::pipe().map_err(DaemonError::Pipe)?;
    let signals = LatestSignals::default();
    let sensed = Arc::default();

    let sampling = Sampling::new(probe, signals.clone(), Arc::clone(&clock));
    let signals_thread = spawn("signals", other_cpu, move || sampling.follow(&run_over))?;
    let publishing = Publishing::new(context, text, output, truth, reserve, Arc::clone(&clock), stop.clone());
    let outbox = Outbox::new(decisions, (!lossless).then(|| outgoing.clone()), spare_decisions.clone());
    let publish_thread = spawn("publish", other_cpu, move || publishing.follow(&outgoing, &spare_decisions))?;
    let inference = Inference::new(engine, signals, Arc::clone(&clock), outbox, copying, stop.clone());
    let sensing = Sensing::new(source, intake, Arc::clone(&clock), stop.clone(), Arc::clone(&sensed));
    // windows are overtaken only where the source cannot wait
    let overtaken = (!lossless).then(|| incoming.clone());
    let engine_thread = spawn("engine", engine_cpu, move || {
        inference.follow(&incoming, &spare_windows, &recycled_decisions, &engine_halted)
    })?;
    let sense_thread = spawn("sense", other_cpu, move || {
        // disconnects when the thread ends, however it ends
        let _sensing_goes_on = sensing_goes_on;
        sensing.follow(&windows, overtaken.as_ref(), &recycled_windows)
    })?;

    let ended = wait_for_source(&sensing_over, stop, keeping.as_mut());
    drop(halt_engine);
    // a source that still waits for a sample is left alone: the process ends without it
    let source = if ended { join(sense_thread, "sense")? } else { None };
    let (decided, failed) = join(engine_thread, "engine")?;
    let mut published = join(publish_thread, "publish")?;
    if let Some(keeping) = &mut keeping {
        keeping.write();
    }
    drop(running);
    join(signals_thread, "signals")?;

    let mut summary = published.summary();
    summary.seconds = clock.now().saturating_sub(started).as_secs_f64();
    let Sensed { stream, produced, dropped } = sensed.lock().map(|sensed| *sensed).unwrap_or_default();
    summary.stream = stream;
    let windows = &mut summary.windows;
    (windows.produced, windows.dropped, windows.decided, windows.failed) = (produced, dropped, decided, failed);
    windows.lost = decided.saturating_sub(windows.published);
    published.write_summary(&summary);
    Ok(Ending { summary, source, output: published.into_error() })
}

/// Returns when the source has ended (true) or is still waiting for a sample although it was asked to stop (false).
/// Until then, keeps what is learned.
fn wait_for_source(sensing_over: &Receiver<()>, stop: &Stop, mut keeping: Option<&mut Keeping>) -> bool {
    let due = tick(memory::INTERVAL);
    loop {
        select! {
            recv(sensing_over) -> _ => return true,
            recv(stop.woken()) -> _ => {
                let gone = sensing_over.recv_timeout(SOURCE_PATIENCE);
                return gone == Err(crossbeam_channel::RecvTimeoutError::Disconnected);
            }
            recv(due) -> _ => if let Some(keeping) = &mut keeping {
                keeping.write();
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
