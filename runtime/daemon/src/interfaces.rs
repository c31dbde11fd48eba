//! The interfaces on which the daemon can be watched and operated, where the configuration or the service manager asks
//! for one.

use std::sync::Arc;

use super::config::Config;
use super::operations::Operations;
use crate::os::activation::Activated;
use crate::threads::observers::Audience;

#[cfg(feature = "http")]
pub(crate) use open::Service;
#[cfg(not(feature = "http"))]
pub(crate) use shut::Service;

#[cfg(feature = "http")]
mod open {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::{Activated, Arc, Audience, Config, Operations};
    use crate::http::{Listeners, Server, ServerOptions};
    use crate::publish::{Board, Metrics, RunHeader};
    use crate::stream::counters::lock;
    use gaitd_api::ListenerView;
    use gaitd_core::engine::Decision;

    /// The interfaces before they are open.
    pub(crate) struct Service {
        options: ServerOptions,
        watchers: Arc<Watchers>,
    }

    /// The interfaces while they are open.
    pub(crate) struct Running(Server);

    /// The metrics and the subscribers of events.
    struct Watchers {
        board: Board,
        metrics: Arc<Metrics>,
        header: Mutex<RunHeader>,
        listeners: Listeners,
    }

    impl Service {
        /// The interfaces that `config` names or that came with the process, `activated`; `None` where nobody wants
        /// one. `header` is what all events have in common.
        pub(crate) fn new(run: &str, config: &Config, activated: Activated, header: &RunHeader) -> Option<Self> {
            // what the service manager listens on is not bound a second time
            let tcp = config.http.as_ref().map(|http| http.listen).filter(|_| activated.tcp.is_empty());
            let unix = config.control_socket().filter(|_| activated.unix.is_empty());
            if tcp.is_none() && unix.is_none() && activated.is_empty() {
                return None;
            }
            let board = Board::new(run.to_owned());
            board.greet(header);
            let metrics = Arc::new(Metrics::new(header.budget));
            let Activated { tcp: activated_tcp, unix: activated_unix } = activated;
            let options = ServerOptions { tcp, unix, activated_tcp, activated_unix, ..ServerOptions::default() };
            let (header, listeners) = (Mutex::new(header.clone()), options.listeners.clone());
            let watchers = Arc::new(Watchers { board, metrics, header, listeners });
            Some(Self { options, watchers })
        }

        /// Those who watch.
        pub(crate) fn audience(&self) -> Arc<dyn Audience> {
            Arc::clone(&self.watchers) as Arc<dyn Audience>
        }

        /// Opens the interfaces.
        pub(crate) fn start(self, operations: &Arc<Operations>) -> std::io::Result<Running> {
            let Self { options, watchers } = self;
            let operator = Arc::clone(operations);
            Server::start(options, operator, watchers.board.clone(), Arc::clone(&watchers.metrics)).map(Running)
        }
    }

    impl Running {
        /// Says goodbye and closes the interfaces.
        pub(crate) fn stop(self) {
            self.0.stop();
        }
    }

    impl Audience for Watchers {
        fn greet(&self, header: &RunHeader) {
            self.board.greet(header);
            self.metrics.rebase(header.budget);
            lock(&self.header).clone_from(header);
        }

        fn stream(&self) -> String {
            lock(&self.header).stream.clone()
        }

        fn decided(&self, decision: &Decision, now: Duration) {
            self.metrics.decided(decision);
            self.board.decision(&lock(&self.header), decision, now);
        }

        fn published(&self, decision: &Decision, now: Duration) {
            self.metrics.published(decision, now);
        }

        fn post(&self, name: &'static str, json: &[u8]) {
            self.board.post(name, json);
        }

        fn subscribers(&self) -> usize {
            self.board.subscribers()
        }

        fn listeners(&self) -> Vec<ListenerView> {
            self.listeners.views()
        }
    }
}

#[cfg(not(feature = "http"))]
mod shut {
    use super::{Activated, Arc, Audience, Config, Operations};
    use crate::publish::RunHeader;

    /// There are none in this build.
    pub(crate) enum Service {}

    /// Likewise.
    pub(crate) enum Running {}

    impl Service {
        pub(crate) fn new(_: &str, config: &Config, activated: Activated, _: &RunHeader) -> Option<Self> {
            if config.http.is_some() || config.control_socket().is_some() || !activated.is_empty() {
                log::warn!(
                    "this gaitd was built without its feature `http`: it has no HTTP interface and no control socket"
                );
            }
            None
        }

        pub(crate) fn audience(&self) -> Arc<dyn Audience> {
            match *self {}
        }

        pub(crate) fn start(self, _: &Arc<Operations>) -> std::io::Result<Running> {
            match self {}
        }
    }

    impl Running {
        pub(crate) fn stop(self) {
            match self {}
        }
    }
}
