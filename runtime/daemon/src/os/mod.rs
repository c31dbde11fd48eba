//! The operating system around the daemon: signals, sockets that came with the process, the service manager.

pub(crate) mod activation;
pub(crate) mod service_manager;
pub(crate) mod signals;
pub(crate) mod stop;
