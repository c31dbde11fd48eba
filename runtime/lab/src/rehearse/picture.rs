//! The paper's two figures: latency over time, one panel per policy, the configuration as colour.

use super::outcome::{Course, Inference, Outcome};
use super::report::is_late;
use super::settings::Experiment;
use crate::figure::{Line, Panel, Point, Span, Timeline};

/// More points than this in one panel only hide each other.
const POINTS: usize = 3000;

impl Outcome {
    /// One figure per experiment.
    #[must_use]
    pub fn figures(&self) -> Vec<(Experiment, Timeline)> {
        self.courses.iter().map(|course| (course.experiment, self.figure(course))).collect()
    }

    fn figure(&self, course: &Course) -> Timeline {
        let settings = &self.settings;
        let title = match course.experiment {
            Experiment::Static => "Static budgets".to_owned(),
            Experiment::Varying => {
                format!("Varying load: a co-runner ({}) on the same processor", settings.load_kind.name())
            }
        };
        // from the fastest to the slowest, whatever the manifest's order is
        let mut order: Vec<usize> = (0..self.configurations.len()).collect();
        order.sort_by_key(|&rung| self.configurations[rung].latency);
        let mut place = vec![0; order.len()];
        for (colour, &rung) in order.iter().enumerate() {
            place[rung] = colour;
        }
        let most = (0..self.policies.len()).map(|policy| own(course, policy).count()).max().unwrap_or(0);
        let stride = most.div_ceil(POINTS).max(1);
        let mut caveat = self.caveat() + "; accuracy counts a late window as a guess";
        if stride > 1 {
            caveat += &format!("; one window in {stride} is shown");
        }
        Timeline {
            title,
            caveat: Some(caveat),
            x_label: "time (s)".to_owned(),
            y_label: "latency (ms)".to_owned(),
            colours: order.iter().map(|&rung| self.configurations[rung].id.clone()).collect(),
            spans: course
                .phases
                .iter()
                .map(|phase| Span {
                    start: phase.start.as_secs_f64(),
                    end: phase.end.as_secs_f64(),
                    label: phase.name.clone(),
                })
                .collect(),
            panels: (0..self.policies.len()).map(|policy| self.panel(course, policy, &place, stride)).collect(),
        }
    }

    fn panel(&self, course: &Course, policy: usize, place: &[usize], stride: usize) -> Panel {
        let points = own(course, policy).step_by(stride).map(|inference| Point {
            x: inference.start.as_secs_f64(),
            y: inference.latency.as_secs_f64() * 1e3,
            colour: place[inference.rung],
        });
        let line = |label: &str, dashed: bool, below_ms: f64| Line {
            label: label.to_owned(),
            dashed,
            steps: course
                .phases
                .iter()
                .map(|phase| (phase.start.as_secs_f64(), (phase.budget.as_secs_f64() * 1e3 - below_ms).max(0.0)))
                .collect(),
        };
        Panel {
            title: self.panel_title(course, policy),
            points: points.collect(),
            lines: vec![line("budget", false, 0.0), line("budget less band", true, self.settings.band_ms)],
        }
    }

    fn panel_title(&self, course: &Course, policy: usize) -> String {
        let name = &self.policies[policy];
        let count = own(course, policy).count();
        if count == 0 {
            return format!("{name}: no window");
        }
        let late = own(course, policy).filter(|inference| is_late(course, inference)).count();
        let accuracy = self.accuracy(course, own(course, policy));
        format!(
            "{name}: {:.1} % of {count} windows late, accuracy {:.2} %",
            100.0 * late as f64 / count as f64,
            100.0 * accuracy.unwrap_or(0.0)
        )
    }
}

/// The inferences of `policy`.
fn own(course: &Course, policy: usize) -> impl Iterator<Item = &Inference> {
    course.inferences.iter().filter(move |inference| inference.policy == policy)
}
