//! `gaitd ctl watch`: the decisions of a running daemon, as they are made.

use std::io::{ErrorKind, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use gaitd_api::{DecisionLine, Hello, Lost, Status};
use gaitd_daemon::publish::Table;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::client::{Followed, follow};
use super::{read, text};

/// Where the daemon's events are.
pub(super) const EVENTS: &str = "/api/events";

/// Prints the decisions of the daemon behind `socket` until nobody reads them any more: as NDJSON where that is what
/// `json` says or standard output is no terminal.
pub(super) fn watch(socket: &Path, json: bool) -> anyhow::Result<Followed> {
    for signal in [SIGINT, SIGTERM] {
        // nothing is left to do then, and a line is written as a whole
        signal_hook::flag::register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))
            .context("cannot watch for signals")?;
    }
    let mut watcher = Watcher { json: json || !std::io::stdout().is_terminal(), table: None, live: false };
    follow(socket, EVENTS, |name, data| watcher.event(name, data))
}

struct Watcher {
    json: bool,
    /// The columns of the ladder that answers.
    table: Option<Table>,
    /// What was decided before has been skipped.
    live: bool,
}

impl Watcher {
    fn event(&mut self, name: &str, data: &str) -> anyhow::Result<ControlFlow<()>> {
        let mut lines = Vec::new();
        match name {
            "hello" | "decision" | "revised" | "episode" | "lost"
                if self.json && (self.live || !matches!(name, "decision" | "revised" | "episode")) =>
            {
                lines = text::json(data.as_bytes()).map_err(|problem| super::senseless(&problem))?.into_bytes();
            }
            "hello" => lines = self.greeting(&read(data.as_bytes())?)?,
            "decision" if self.live => {
                let decision: DecisionLine<'_> = read(data.as_bytes())?;
                if let Some(table) = &self.table {
                    table.row(&decision, &mut lines)?;
                }
            }
            "lost" => {
                let Lost { events, .. } = read(data.as_bytes())?;
                log::warn!("{events} events are lost: they came faster than they were read");
            }
            // it comes after what was decided before
            "status" if !self.live => {
                self.live = true;
                let Status { ready, .. } = read(data.as_bytes())?;
                if !ready.ready {
                    log::warn!("gaitd is not ready: {}", ready.reasons.join("; "));
                }
            }
            _ => {}
        }
        print(&lines)
    }

    /// The first lines for people.
    fn greeting(&mut self, hello: &Hello) -> anyhow::Result<Vec<u8>> {
        let table =
            Table::new(hello.labels.iter().map(String::as_str), hello.configurations.iter().map(String::as_str));
        let mut lines = format!("gaitd {}: {} on {}\n\n", hello.version, hello.model, hello.source).into_bytes();
        table.heading(&mut lines)?;
        self.table = Some(table);
        Ok(lines)
    }
}

/// Prints whole lines; breaks off where nobody reads them any more.
fn print(lines: &[u8]) -> anyhow::Result<ControlFlow<()>> {
    let mut output = std::io::stdout().lock();
    match output.write_all(lines).and_then(|()| output.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error.into()),
    }
}
