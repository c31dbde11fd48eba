//! The interfaces on which the daemon can be watched and operated, where the configuration asks for one.

use std::sync::Arc;

use super::audience::Audience;
use super::config::Config;
use super::operations::Operations;

/// The interfaces before they are open.
pub(super) enum Service {}

/// The interfaces while they are open.
pub(super) enum Running {}

impl Service {
    pub(super) fn new(_: &str, config: &Config) -> Option<Self> {
        if config.http.is_some() || config.socket.is_some() {
            log::warn!(
                "this gaitd was built without its feature `http`: there is no HTTP interface and no control socket"
            );
        }
        None
    }

    pub(super) fn audience(&self) -> Arc<dyn Audience> {
        match *self {}
    }

    pub(super) fn start(self, _: &Arc<Operations>) -> std::io::Result<Running> {
        match self {}
    }
}

impl Running {
    pub(super) fn stop(self) {
        match self {}
    }
}
