//! The load of the moment, as a value; who measures it stands behind [`LoadProbe`].

use serde::Serialize;

/// One reading of how busy others keep the processors that gaitd may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Load {
    /// Busy share of the processors that gaitd may use, gaitd's own share taken out; 0 to 1.
    pub cpu: f64,
}

/// Reads the load. Reading may take a while, so nobody on the way from sample to decision calls it.
pub trait LoadProbe: Send {
    /// The load since the last reading; `None` where the system does not tell.
    fn read(&mut self) -> Option<Load>;
}
