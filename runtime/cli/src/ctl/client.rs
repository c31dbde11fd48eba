//! One request to the control socket, and its answer or the events that follow, within limits of time and size.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::super::exit;
use super::{Failure, PATIENCE, senseless};

/// The longest answer that is read, bytes; the status takes two thousand.
const LONGEST_ANSWER: usize = 4 << 20;

/// The daemon says something every 15 s at the latest to those who follow it.
const SILENCE: Duration = Duration::from_secs(35);

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
    let patience = request.patience;
    let asking = async { answer(socket, send(socket, request).await?).await };
    runtime()?.block_on(async { in_time(socket, patience, asking).await })
}

/// How a daemon that is followed answers.
pub(super) enum Followed {
    /// Whoever took the events has enough.
    Enough,
    /// It is refused.
    Refused(Answer),
}

/// Hands the name and the data (JSON) of each event of the daemon behind `socket` to `take`, until that has enough.
///
/// # Errors
/// When the daemon cannot be asked, ends, or falls silent, and when `take` fails.
pub(super) fn follow(
    socket: &Path,
    path: &'static str,
    mut take: impl FnMut(&str, &str) -> anyhow::Result<ControlFlow<()>>,
) -> anyhow::Result<Followed> {
    let ended = || Failure::new(exit::UNAVAILABLE, format!("{}: gaitd has ended", socket.display()));
    runtime()?.block_on(async {
        let mut response = in_time(socket, PATIENCE, send(socket, Request::get(path))).await?;
        if response.status().as_u16() != 200 {
            return Ok(Followed::Refused(in_time(socket, PATIENCE, answer(socket, response)).await?));
        }
        let mut text = Vec::new();
        loop {
            let frame = tokio::time::timeout(SILENCE, response.body_mut().frame()).await.map_err(|_| {
                let seconds = SILENCE.as_secs();
                let sentence =
                    format!("{}: gaitd has said nothing for {seconds} s; does it still run?", socket.display());
                Failure::new(exit::TEMPORARY, sentence)
            })?;
            let frame = frame.ok_or_else(ended)?.map_err(|error| gone(socket, &error))?;
            text.extend_from_slice(&frame.into_data().unwrap_or_default());
            while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = text.drain(..end + 2).collect();
                let event = std::str::from_utf8(&event).map_err(|error| senseless(&error.to_string()))?;
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
                // comments and the like have no data
                let (Some(name), Some(data)) = (field("event: "), field("data: ")) else { continue };
                if name == "bye" {
                    return Err(ended().into());
                }
                if take(name, data)?.is_break() {
                    return Ok(Followed::Enough);
                }
            }
            if text.len() > LONGEST_ANSWER {
                return Err(senseless(&format!("longer than {LONGEST_ANSWER} bytes")).into());
            }
        }
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(|error| software(&error))
}

fn software(problem: &dyn std::fmt::Display) -> Failure {
    Failure::new(exit::SOFTWARE, format!("cannot ask: {problem}"))
}

/// What `asking` gives, unless that takes longer than `patience`.
async fn in_time<T>(
    socket: &Path,
    patience: Duration,
    asking: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(patience, asking).await.unwrap_or_else(|_| {
        let (socket, seconds) = (socket.display(), patience.as_secs());
        let sentence = format!("{socket}: no answer within {seconds} s; what was asked for may still be done");
        Err(Failure::new(exit::TEMPORARY, sentence))
    })
}

async fn send(socket: &Path, request: Request) -> Result<Response<Incoming>, Failure> {
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
    sender.send_request(wire).await.map_err(broken)
}

async fn answer(socket: &Path, response: Response<Incoming>) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            senseless(&format!("longer than {LONGEST_ANSWER} bytes"))
        } else {
            gone(socket, &error)
        }
    })?;
    Ok(Answer { status, body: body.to_bytes() })
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
                 with --socket PATH or $GAITD_SOCKET; a `gaitd run` without $XDG_RUNTIME_DIR has one with --socket only"
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
