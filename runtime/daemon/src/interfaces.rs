//! The interfaces on which the daemon is watched and operated, where the configuration or the service manager asks for
//! one. Without the feature `http` there are none, and everything here does nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::account::{Delivered, RunCounters};
use crate::config::Config;
use crate::operations::Operations;
use crate::os::activation::Activated;
use crate::publish::RunHeader;
use crate::threads::publishing::NewPublisher;
use gaitd_api::ListenerView;

/// Is told the address of each TCP port that is listened on, once it is.
pub(crate) type OnListening = Arc<dyn Fn(SocketAddr) + Send + Sync>;

/// What the interfaces show; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Interfaces {
    #[cfg(feature = "http")]
    shown: Option<http::Shown>,
}

/// Where the interfaces are to be opened.
#[derive(Default)]
pub(crate) struct Listen {
    #[cfg(feature = "http")]
    options: Option<crate::http::ServerOptions>,
}

/// The interfaces while they are open.
#[derive(Default)]
pub(crate) struct Open {
    #[cfg(feature = "http")]
    _server: Option<crate::http::Server>,
}

impl Open {
    /// Says goodbye to those who watch, and closes the interfaces.
    pub(crate) fn close(self) {}
}

#[cfg(not(feature = "http"))]
impl Interfaces {
    /// None, with a warning where `config` or the service manager asks for one.
    pub(crate) fn new(
        _run: &str,
        config: &Config,
        activated: Activated,
        _on_listening: Option<OnListening>,
        _header: &RunHeader,
    ) -> (Self, Listen) {
        if config.http.is_some() || config.control_socket().is_some() || !activated.is_empty() {
            log::warn!(
                "this gaitd was built without its feature `http`: it has no HTTP interface and no control socket"
            );
        }
        Default::default()
    }

    pub(crate) fn open(&self, _listen: Listen, _operations: &Arc<Operations>) -> std::io::Result<Open> {
        Ok(Open::default())
    }

    pub(crate) fn publishers(&self, _header: &RunHeader, _counters: &Arc<RunCounters>) -> Vec<NewPublisher> {
        Vec::new()
    }

    pub(crate) fn delivered(&self) -> Option<Delivered> {
        None
    }

    pub(crate) fn post(&self, _name: &'static str, _event: &impl serde::Serialize) {}

    pub(crate) fn subscribers(&self) -> usize {
        0
    }

    pub(crate) fn listeners(&self) -> Vec<ListenerView> {
        Vec::new()
    }
}

#[cfg(feature = "http")]
mod http {
    use super::{
        Activated, Arc, Config, Delivered, Interfaces, Listen, ListenerView, NewPublisher, OnListening, Open,
        Operations, RunCounters, RunHeader,
    };
    use crate::http::{Listeners, Server, ServerOptions};
    use crate::publish::watch::{EventPublisher, MetricsPublisher};
    use crate::publish::{Board, Metrics, Publisher};
    use crate::threads::publishing::Role;

    /// The events, the metrics and the state of the listeners.
    #[derive(Clone)]
    pub(crate) struct Shown {
        board: Board,
        metrics: Arc<Metrics>,
        listeners: Listeners,
    }

    impl Interfaces {
        /// The interfaces that `config` names or that came with the process, `activated`, and where to open them.
        /// `on_listening` is told of them; `header` is what the first decisions have in common.
        pub(crate) fn new(
            run: &str,
            config: &Config,
            activated: Activated,
            on_listening: Option<OnListening>,
            header: &RunHeader,
        ) -> (Self, Listen) {
            // what the service manager listens on is not bound a second time
            let tcp = config.http.as_ref().map(|http| http.listen).filter(|_| activated.tcp.is_empty());
            let unix = config.control_or_user_socket().filter(|_| activated.unix.is_empty());
            if tcp.is_none() && unix.is_none() && activated.is_empty() {
                return Default::default();
            }
            let board = Board::new(run.to_owned());
            board.greet(header);
            let metrics = Arc::new(Metrics::new(header.budget));
            let Activated { tcp: activated_tcp, unix: activated_unix } = activated;
            let options =
                ServerOptions { tcp, unix, activated_tcp, activated_unix, on_listening, ..ServerOptions::default() };
            let shown = Shown { board, metrics, listeners: options.listeners.clone() };
            (Self { shown: Some(shown) }, Listen { options: Some(options) })
        }

        /// Opens them; `operations` answers.
        ///
        /// # Errors
        /// When the system gives no thread, or a socket that was handed over cannot be used.
        pub(crate) fn open(&self, listen: Listen, operations: &Arc<Operations>) -> std::io::Result<Open> {
            let (Some(Shown { board, metrics, .. }), Some(options)) = (&self.shown, listen.options) else {
                return Ok(Open::default());
            };
            let operator = Arc::clone(operations);
            Server::start(options, operator, board.clone(), Arc::clone(metrics))
                .map(|server| Open { _server: Some(server) })
        }

        /// What publishes decisions to the interfaces.
        pub(crate) fn publishers(&self, header: &RunHeader, counters: &Arc<RunCounters>) -> Vec<NewPublisher> {
            let Some(Shown { board, metrics, .. }) = &self.shown else { return Vec::new() };
            let watcher = |name: &str, publisher: Box<dyn Publisher>| NewPublisher {
                publisher,
                name: name.to_owned(),
                role: Role::Watcher,
            };
            vec![
                watcher("events", Box::new(EventPublisher::new(board.clone(), header, Arc::clone(counters)))),
                watcher("metrics", Box::new(MetricsPublisher::new(Arc::clone(metrics)))),
            ]
        }

        /// What observes decisions that the first publisher has published.
        pub(crate) fn delivered(&self) -> Option<Delivered> {
            let metrics = Arc::clone(&self.shown.as_ref()?.metrics);
            Some(Box::new(move |decision, now| metrics.published(decision, now)))
        }

        /// Posts an event, if there is a subscriber.
        pub(crate) fn post(&self, name: &'static str, event: &impl serde::Serialize) {
            if let Some(Shown { board, .. }) = self.shown.as_ref().filter(|shown| shown.board.subscribers() > 0)
                && let Ok(json) = serde_json::to_vec(event)
            {
                board.post(name, &json);
            }
        }

        /// How many subscribe to events now.
        pub(crate) fn subscribers(&self) -> usize {
            self.shown.as_ref().map_or(0, |shown| shown.board.subscribers())
        }

        /// How the listeners are.
        pub(crate) fn listeners(&self) -> Vec<ListenerView> {
            self.shown.as_ref().map(|shown| shown.listeners.views()).unwrap_or_default()
        }
    }
}
