//! Decisions for those who watch over the HTTP interface: events and metrics.

use std::sync::Arc;
use std::time::Duration;

use super::{Board, Metrics, PublishError, Publisher, RunHeader};
use crate::account::RunCounters;
use gaitd_api::Summary;
use gaitd_core::decode::Episode;
use gaitd_core::engine::Decision;

/// Posts decisions as events, and keeps the latest one for the status and for explanations.
pub(crate) struct EventPublisher {
    board: Board,
    header: RunHeader,
    counters: Arc<RunCounters>,
}

impl EventPublisher {
    pub(crate) fn new(board: Board, header: &RunHeader, counters: Arc<RunCounters>) -> Self {
        Self { board, header: header.clone(), counters }
    }
}

impl Publisher for EventPublisher {
    fn begin(&mut self, header: &RunHeader) -> Result<(), PublishError> {
        self.board.greet(header);
        Ok(())
    }

    fn decision(&mut self, decision: &Decision, now: Duration) -> Result<(), PublishError> {
        self.board.decision(&self.header, decision, now);
        match &mut *self.counters.latest() {
            Some(latest) => latest.copy_from(decision),
            none => *none = Some(decision.clone()),
        }
        Ok(())
    }

    fn end(&mut self, episode: Option<&Episode>, _summary: &Summary) -> Result<(), PublishError> {
        if let Some(episode) = episode {
            self.board.episode(&self.header, episode);
        }
        Ok(())
    }
}

/// Observes the phases that lie before the decision.
pub(crate) struct MetricsPublisher(Arc<Metrics>);

impl MetricsPublisher {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self(metrics)
    }
}

impl Publisher for MetricsPublisher {
    fn begin(&mut self, header: &RunHeader) -> Result<(), PublishError> {
        self.0.rebase(header.budget);
        Ok(())
    }

    fn decision(&mut self, decision: &Decision, _now: Duration) -> Result<(), PublishError> {
        self.0.decided(decision);
        Ok(())
    }

    fn end(&mut self, _episode: Option<&Episode>, _summary: &Summary) -> Result<(), PublishError> {
        Ok(())
    }
}
