//! What the user or the service manager asks for by Unix signals: an end, or a reload.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, bounded, never};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Handle;

use super::stop::Stop;

/// Signals that are being watched, until this is dropped.
#[derive(Debug)]
#[must_use = "signals are watched for as long as it lives"]
pub struct Requests {
    reloads: Receiver<()>,
    watching: Option<(Handle, JoinHandle<()>)>,
}

/// What a SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// Read the configuration again, as daemons do.
    Reload,
    /// End: the terminal that the run belongs to is gone.
    Stop,
}

impl Requests {
    /// No signal is watched.
    pub fn none() -> Self {
        Self { reloads: never(), watching: None }
    }

    /// Asks `stop` on SIGINT or SIGTERM, where a second one ends the process at once; a SIGHUP is what `hangup` says.
    ///
    /// # Errors
    /// When the handlers cannot be registered.
    pub fn watch(stop: &Stop, hangup: Hangup) -> std::io::Result<Self> {
        let mut watched = vec![SIGINT, SIGTERM];
        for signal in &watched {
            // Actions run in the order of their registration. This one must come first: were the thread below woken
            // before it, that thread could arm it while the first signal is still being handled.
            signal_hook::flag::register_conditional_shutdown(*signal, 128 + signal, stop.flag())?;
        }
        watched.push(SIGHUP);
        let mut signals = signal_hook::iterator::Signals::new(&watched)?;
        let (ask, reloads) = bounded(1);
        let stop = stop.clone();
        let handle = signals.handle();
        let thread = std::thread::Builder::new().name("gaitd-request".to_owned()).spawn(move || {
            for signal in signals.forever() {
                match (signal, hangup) {
                    // full: the reload that is asked for already will read what is new
                    (SIGHUP, Hangup::Reload) => drop(ask.try_send(())),
                    _ => stop.ask(),
                }
            }
        })?;
        Ok(Self { reloads, watching: Some((handle, thread)) })
    }

    /// Receives once for each reload that is asked for.
    pub(crate) fn reloads(&self) -> &Receiver<()> {
        &self.reloads
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        if let Some((handle, thread)) = self.watching.take() {
            handle.close();
            // a panic in there was reported, and the process ends
            let _ = thread.join();
        }
    }
}
