//! One request to the control socket, and its answer, within limits of time and size.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::super::exit;
use super::{Failure, PATIENCE, senseless};

/// The longest answer that is read, bytes; the status takes two thousand.
const LONGEST_ANSWER: usize = 4 << 20;

/// The service's socket.
const SERVICE_SOCKET: &str = "/run/gaitd/control.sock";

/// The socket of the daemon that the user runs, else that of the service.
pub(super) fn default_socket() -> Result<PathBuf, Failure> {
    let service = PathBuf::from(SERVICE_SOCKET);
    let Some(own) = gaitd_daemon::user_socket() else { return Ok(service) };
    let reach = |socket: &Path| std::os::unix::net::UnixStream::connect(socket).err();
    // any other error is that of a socket that is there
    let absent = |error: &std::io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
    let Some(of_own) = reach(&own).filter(absent) else { return Ok(own) };
    let Some(of_service) = reach(&service).filter(absent) else { return Ok(service) };
    let sentence = format!(
        "no gaitd answers, neither on {}: {of_own}, nor on {SERVICE_SOCKET}: {of_service}; start one (gaitd run, systemctl start \
         gaitd), or say where its socket is with --socket PATH or $GAITD_SOCKET",
        own.display()
    );
    Err(Failure::new(exit::UNAVAILABLE, sentence))
}

/// What is asked.
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// JSON.
    pub(super) body: Option<Vec<u8>>,
    /// How long the answer may take.
    pub(super) patience: Duration,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Request {
    pub(super) fn get(path: &'static str) -> Self {
        Self { method: "GET", path, body: None, patience: PATIENCE }
    }
}

/// Asks the daemon behind `socket`.
pub(super) fn ask(socket: &Path, request: Request) -> Result<Answer, Failure> {
    let software = |problem: &dyn std::fmt::Display| Failure::new(exit::SOFTWARE, format!("cannot ask: {problem}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| software(&error))?;
    let patience = request.patience;
    let asking = async {
        let stream = UnixStream::connect(socket).await.map_err(|error| no_way_in(socket, &error))?;
        let broken = |error: hyper::Error| broken(socket, &error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // its errors reach the sender too
        tokio::spawn(connection);
        let mut wire = hyper::Request::builder().method(request.method).uri(request.path).header(HOST, "localhost");
        if request.body.is_some() {
            wire = wire.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(request.body.unwrap_or_default()));
        let wire = wire.body(body).map_err(|error| software(&error))?;
        let response = sender.send_request(wire).await.map_err(broken)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                senseless(&format!("longer than {LONGEST_ANSWER} bytes"))
            } else {
                gone(socket, &error)
            }
        })?;
        Ok(Answer { status, body: body.to_bytes() })
    };
    let late = || {
        let (socket, seconds) = (socket.display(), patience.as_secs());
        let sentence = format!("{socket}: no answer within {seconds} s; what was asked for may still be done");
        Failure::new(exit::TEMPORARY, sentence)
    };
    runtime.block_on(async { tokio::time::timeout(patience, asking).await }).unwrap_or_else(|_| Err(late()))
}

fn no_way_in(socket: &Path, error: &std::io::Error) -> Failure {
    let socket = socket.display();
    match error.kind() {
        ErrorKind::PermissionDenied => Failure::new(
            exit::NO_PERMISSION,
            format!(
                "you may not use {socket}: {error}; it is for root, for gaitd's own user, and for the members of its \
                 group, gaitd-operators (sudo usermod --append --groups gaitd-operators \"$USER\", then log in again)"
            ),
        ),
        ErrorKind::WouldBlock => {
            Failure::new(exit::TEMPORARY, format!("{socket} accepts no connection just now: {error}; try again"))
        }
        _ => Failure::new(
            exit::UNAVAILABLE,
            format!(
                "no gaitd answers on {socket}: {error}; start it (systemctl start gaitd), or say where its socket is \
                 with --socket PATH or $GAITD_SOCKET"
            ),
        ),
    }
}

fn broken(socket: &Path, error: &hyper::Error) -> Failure {
    if error.is_parse() { senseless(&error.to_string()) } else { gone(socket, error) }
}

fn gone(socket: &Path, error: &dyn std::fmt::Display) -> Failure {
    let socket = socket.display();
    let sentence =
        format!("{socket}: the process that listens there has not answered ({error}); see whether gaitd still runs");
    Failure::new(exit::UNAVAILABLE, sentence)
}
