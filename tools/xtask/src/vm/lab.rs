//! The guest with gaitd in it, the sensor at its edge, and what can be asked of the service.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::agent::Agent;
use super::events::Events;
use super::machine::Machine;
use super::parity::Parity;
use super::sensor::Sensor;
use crate::decision::Decision;

/// Everything that a step of the scenario works with.
pub(super) struct Lab {
    pub(super) machine: Machine,
    pub(super) agent: Agent,
    pub(super) sensor: Sensor,
    pub(super) events: Events,
    /// The recording that the sensor has, and what this host decides on it.
    pub(super) parity: Parity,
}

/// What systemd knows of the service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) pid: u32,
    pub(super) restarts: u32,
    /// From the start of the process to its readiness, in the guest's time.
    pub(super) start: Duration,
}

/// How an HTTP request ended.
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) body: String,
}

impl Lab {
    /// What systemd says of gaitd.
    pub(super) fn service(&mut self) -> Result<Service> {
        let properties = "MainPID,NRestarts,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic";
        Service::read(&self.agent.sh(&format!("systemctl show gaitd --property={properties}"))?)
    }

    /// `GET path` from gaitd, within the guest.
    pub(super) fn get(&mut self, path: &str) -> Result<Reply> {
        let command = format!(
            "curl --silent --show-error --max-time 60 --write-out '\\n%{{http_code}}' http://127.0.0.1:4248{path}"
        );
        let (out, said) = {
            let ended = self.agent.run(&command)?;
            (ended.out.clone(), ended.said())
        };
        Reply::read(&out).with_context(|| format!("GET {path}: {said}"))
    }

    /// The status of gaitd, as JSON.
    pub(super) fn status(&mut self) -> Result<Value> {
        let reply = self.get("/api/status")?;
        ensure!(reply.code == 200, "/api/status answers {}: {}", reply.code, reply.body);
        serde_json::from_str(&reply.body).context("/api/status")
    }

    /// Waits until gaitd, in another process than `old`, answers `/readyz` with 200 and decides on new samples. Gives
    /// what systemd says of it, and the decision.
    pub(super) fn recovered(&mut self, old: u32) -> Result<(Service, Decision)> {
        let another = format!(
            "pid=$(systemctl show gaitd --property=MainPID --value) && test $pid != 0 && test $pid != {old} && \
             curl --silent --fail --output /dev/null --max-time 60 http://127.0.0.1:4248/readyz"
        );
        if let Err(error) = self.agent.until("another process that is ready", &another) {
            let status = self.agent.run("systemctl status gaitd --no-pager --lines=5")?;
            return Err(error.context(status.said()));
        }
        let decision = self.events.next(self.sensor.time())?;
        Ok((self.service()?, decision))
    }

    /// Waits until the status of gaitd is `wanted`.
    pub(super) fn until(&mut self, state: &str, mut wanted: impl FnMut(&Value) -> bool) -> Result<Value> {
        let start = std::time::Instant::now();
        loop {
            let status = self.status()?;
            if wanted(&status) {
                return Ok(status);
            }
            let patience = super::agent::PATIENCE;
            ensure!(start.elapsed() < patience, "{state}: not after {} s; the status is {status}", patience.as_secs());
        }
    }
}

impl Service {
    fn read(text: &str) -> Result<Self> {
        let number = |name: &str| -> Result<u64> {
            let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            let value = values.next().and_then(|value| value.parse().ok());
            value.with_context(|| format!("systemd shows no {name}: {text}"))
        };
        let started = number("ExecMainStartTimestampMonotonic")?;
        Ok(Self {
            pid: u32::try_from(number("MainPID")?)?,
            restarts: u32::try_from(number("NRestarts")?)?,
            start: Duration::from_micros(number("ActiveEnterTimestampMonotonic")?.saturating_sub(started)),
        })
    }
}

impl Reply {
    /// Reads what curl printed: the body, and the code in a line of its own.
    fn read(out: &str) -> Option<Self> {
        let (body, code) = out.rsplit_once('\n')?;
        let code = code.parse().ok().filter(|code| *code != 0)?;
        Some(Self { code, body: body.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_read_from_systemds_properties() {
        let text = "ActiveEnterTimestampMonotonic=61500000\nMainPID=314\nNRestarts=2\n\
                    ExecMainStartTimestampMonotonic=60000000\n";
        let expected = Service { pid: 314, restarts: 2, start: Duration::from_millis(1500) };
        assert_eq!(Service::read(text).unwrap(), expected);
        assert!(Service::read("MainPID=314").is_err());
    }

    #[test]
    fn a_reply_has_its_code_behind_the_body() {
        let reply = Reply::read("{\"ready\":\ntrue}\n503").unwrap();
        assert_eq!((reply.code, reply.body.as_str()), (503, "{\"ready\":\ntrue}"));
        assert!(Reply::read("\n000").is_none(), "no answer");
        assert!(Reply::read("").is_none());
    }
}
