//! Exit codes by sysexits(3), so that a script or a service manager can tell whose fault a failure is. Each error type
//! that can end a command says its own.

/// An error that says with which code a process ends that fails with it.
pub trait ExitCode {
    /// The exit code, one of this module's.
    fn exit_code(&self) -> u8;
}

/// Everything worked, but what was checked does not hold.
pub const FAILED: u8 = 1;
/// The command line is wrong (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// A model, a recording, a stream or a scenario is wrong (`EX_DATAERR`).
pub const DATA: u8 = 65;
/// A file is missing or unreadable (`EX_NOINPUT`).
pub const NO_INPUT: u8 = 66;
/// No daemon answers (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: u8 = 69;
/// Something that should never happen (`EX_SOFTWARE`).
pub const SOFTWARE: u8 = 70;
/// The system refused something, such as another process (`EX_OSERR`).
pub const OS: u8 = 71;
/// Reading or writing failed (`EX_IOERR`).
pub const IO: u8 = 74;
/// A later attempt may succeed (`EX_TEMPFAIL`).
pub const TEMPORARY: u8 = 75;
/// What answers is no gaitd, or one of another version (`EX_PROTOCOL`).
pub const PROTOCOL: u8 = 76;
/// The user may not do this (`EX_NOPERM`).
pub const NO_PERMISSION: u8 = 77;
/// A configuration is wrong (`EX_CONFIG`).
pub const CONFIG: u8 = 78;

impl ExitCode for std::io::Error {
    fn exit_code(&self) -> u8 {
        IO
    }
}
