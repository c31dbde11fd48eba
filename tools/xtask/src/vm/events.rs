//! gaitd's decisions as they come out of `/api/events` in the guest, by way of a serial port.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::Value;

use super::agent::PATIENCE;
use crate::decision::Decision;

/// The decisions, in the order in which they came; after a new connection the server repeats the latest ones.
pub(super) struct Events(Receiver<Result<Decision>>);

impl Events {
    /// Listens on `port` until the machine is gone.
    pub(super) fn listen(port: UnixStream) -> Result<Self> {
        let (send, receive) = channel();
        std::thread::Builder::new().name("events".into()).spawn(move || {
            for line in BufReader::new(port).split(b'\n') {
                // the port is at its end, with the machine
                let Ok(line) = line else { break };
                if let Some(decision) = decision(&line).transpose()
                    && send.send(decision).is_err()
                {
                    break;
                }
            }
        })?;
        Ok(Self(receive))
    }

    /// The next decision whose window ends at `time` (seconds, the sensor's clock) or later.
    pub(super) fn next(&self, time: f64) -> Result<Decision> {
        let start = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.0.recv_timeout(left) {
                Ok(decision) => {
                    let decision = decision?;
                    if decision.time_s >= Some(time) {
                        return Ok(decision);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!("no decision came within {} s", PATIENCE.as_secs()),
                Err(RecvTimeoutError::Disconnected) => bail!("the port of the events is closed"),
            }
        }
    }
}

/// The decision in one line of server-sent events, if there is one. A line may be cut short where gaitd was killed, and
/// such a decision counts as not published.
fn decision(line: &[u8]) -> Result<Option<Decision>> {
    let data = line.strip_prefix(b"data: ").and_then(|data| serde_json::from_slice(data).ok());
    data.map_or(Ok(None), |data: Value| Decision::read(&data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_picked_out_of_the_events() {
        for other in ["", "event: hello", "data: {\"class\":\"gaitd\"}", "data: {\"class\":\"deci", ": "] {
            assert!(decision(other.as_bytes()).unwrap().is_none(), "{other}");
        }
        let line = br#"data: {"class":"decision","samples":[64,191],"window":1,"miss":false,"time_s":3.84,"activity":"lying","configuration":"0.10x-96","instant":{"probabilities":{"lying":1.0}}}"#;
        assert_eq!(decision(line).unwrap().unwrap().samples, [64, 191]);
        assert!(decision(br#"data: {"class":"decision"}"#).is_err());
    }
}
