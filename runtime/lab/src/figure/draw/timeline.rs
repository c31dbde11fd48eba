//! Drawing a [`Timeline`].

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::{Panel, Timeline};
use super::{FAINT, Figure, GREY, INK, Pen, ticks};

const WIDTH: i32 = 1200;
/// Left and right edge of the panels.
const LEFT: i32 = 84;
const RIGHT: i32 = WIDTH - 24;
/// Least height of a panel, and the line of text above it; what a short legend leaves is shared among the panels.
const PANEL: i32 = 148;
const PANEL_TITLE: i32 = 26;
/// The names of the spans, and the time axis.
const SPAN_NAMES: i32 = 24;
const TIME_AXIS: i32 = 62;

/// The height above the panels depends on the legend's lines; this many are always left room for.
const LEGEND_LINES: i32 = 2;
const HEADING: i32 = 76;

impl Figure for Timeline {
    fn size(&self) -> (u32, u32) {
        let panels = self.panels.len().max(1) as i32 * (PANEL + PANEL_TITLE);
        let height = HEADING + LEGEND_LINES * 22 + 6 + SPAN_NAMES + panels + TIME_AXIS;
        (WIDTH as u32, height as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>, scale: u32) -> Result<(), String> {
        root.fill(&WHITE).map_err(|error| error.to_string())?;
        let pen = Pen { root, scale };
        let mut y = pen.heading(&self.title, self.caveat.as_deref())?;
        let mut axes = Axes::of(self);
        y += self.draw_legend(&pen, y, &axes)? + SPAN_NAMES;
        let first = y;
        let rest = self.size().1 as i32 - y - TIME_AXIS;
        axes.height = (rest / self.panels.len().max(1) as i32 - PANEL_TITLE).max(PANEL);
        for panel in &self.panels {
            pen.text(&panel.title, 17, INK, HPos::Left, (LEFT, y + PANEL_TITLE / 2))?;
            let top = y + PANEL_TITLE;
            self.draw_panel(&pen, panel, &axes, top)?;
            y = top + axes.height;
        }
        for span in &self.spans {
            let middle = (axes.x(span.start) + axes.x(span.end)) / 2;
            pen.text(&span.label, 17, GREY, HPos::Center, (middle, first - SPAN_NAMES / 2 + 4))?;
        }
        let (times, decimals) = ticks(axes.time.0, axes.time.1, 10.0);
        for time in times {
            pen.line((axes.x(time), y), (axes.x(time), y + 5), false, 1, INK)?;
            pen.text(&format!("{time:.decimals$}"), 15, INK, HPos::Center, (axes.x(time), y + 15))?;
        }
        pen.text(&self.x_label, 17, INK, HPos::Center, ((LEFT + RIGHT) / 2, y + 40))?;
        pen.upright(&self.y_label, 17, (24, (first + y) / 2))
    }
}

impl Timeline {
    fn draw_legend<DB: DrawingBackend>(&self, pen: &Pen<'_, DB>, y: i32, axes: &Axes) -> Result<i32, String> {
        let used = &axes.used;
        let lines = self.panels.first().map_or(&[][..], |panel| &panel.lines);
        let mut names: Vec<&str> = used.iter().map(|&colour| self.colours[colour].as_str()).collect();
        names.extend(lines.iter().map(|line| line.label.as_str()));
        if axes.beyond {
            names.push("above the axis");
        }
        pen.legend(&names, (24, y), RIGHT, |index, (x, y)| {
            if let Some(&colour) = used.get(index) {
                pen.disc((x, y), 6, axes.shade(colour))
            } else if let Some(line) = lines.get(index - used.len()) {
                pen.line((x - 12, y), (x + 12, y), line.dashed, 2, INK)
            } else {
                pen.beyond((x, y), GREY)
            }
        })
    }

    fn draw_panel<DB: DrawingBackend>(
        &self,
        pen: &Pen<'_, DB>,
        panel: &Panel,
        axes: &Axes,
        top: i32,
    ) -> Result<(), String> {
        let bottom = top + axes.height;
        for span in self.spans.iter().skip(1).step_by(2) {
            pen.rectangle((axes.x(span.start), top), (axes.x(span.end), bottom), RGBColor(244, 244, 244))?;
        }
        let (values, decimals) = ticks(0.0, axes.largest, 4.0);
        for value in values {
            let y = axes.y(value, bottom);
            pen.line((LEFT, y), (RIGHT, y), false, 1, FAINT)?;
            pen.text(&format!("{value:.decimals$}"), 15, INK, HPos::Right, (LEFT - 8, y))?;
        }
        for point in &panel.points {
            let (x, colour) = (axes.x(point.x), axes.shade(point.colour));
            if point.y > axes.largest {
                pen.beyond((x, top + 5), colour)?;
            } else {
                pen.disc((x, axes.y(point.y, bottom)), 3, colour)?;
            }
        }
        for line in &panel.lines {
            let ends = line.steps.iter().skip(1).map(|step| step.0).chain([axes.time.1]);
            let mut before = None;
            for (&(start, value), end) in line.steps.iter().zip(ends) {
                let y = axes.y(value, bottom);
                if let Some(before) = before {
                    pen.line((axes.x(start), before), (axes.x(start), y), line.dashed, 2, INK)?;
                }
                pen.line((axes.x(start), y), (axes.x(end), y), line.dashed, 2, INK)?;
                before = Some(y);
            }
        }
        pen.line((LEFT, top), (LEFT, bottom), false, 1, INK)?;
        pen.line((LEFT, bottom), (RIGHT, bottom), false, 1, INK)
    }
}

/// Viridis without its palest end, which is hard to see on white.
fn along(share: f64) -> RGBColor {
    const SCALE: [[u8; 3]; 7] =
        [[68, 1, 84], [70, 50, 127], [54, 92, 141], [39, 127, 142], [31, 161, 135], [94, 201, 98], [186, 208, 30]];
    let place = share.clamp(0.0, 1.0) * (SCALE.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let mix = |channel: usize| {
        let (a, b) = (f64::from(SCALE[below][channel]), f64::from(SCALE[above][channel]));
        (a + (b - a) * place.fract()).round() as u8
    };
    RGBColor(mix(0), mix(1), mix(2))
}

/// From data to pixels.
struct Axes {
    time: (f64, f64),
    largest: f64,
    /// Some points lie above the axis.
    beyond: bool,
    /// Height of a panel.
    height: i32,
    /// The colours that occur: a ladder can have many configurations that were never picked.
    used: Vec<usize>,
}

impl Axes {
    fn of(timeline: &Timeline) -> Self {
        let points = || timeline.panels.iter().flat_map(|panel| &panel.points);
        let steps = || timeline.panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.steps);
        let times = points()
            .map(|point| point.x)
            .chain(steps().map(|step| step.0))
            .chain(timeline.spans.iter().flat_map(|span| [span.start, span.end]));
        let (from, to) = times
            .filter(|time| time.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), time| (from.min(time), to.max(time)));
        // an axis that all but starts at 0 starts there
        let from = if from > 0.0 && from < 0.02 * to { 0.0 } else { from };
        let time = if from < to { (from, to) } else { (0.0, 1.0) };

        // a few points far above must not press all others to the bottom
        let mut values: Vec<f64> = points().map(|point| point.y).filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let most = values.get((values.len() as f64 * 0.995) as usize).copied().unwrap_or(0.0);
        let lines = steps().map(|step| step.1).fold(0.0, f64::max);
        let largest = (most * 1.05).max(lines * 1.15);
        let largest = if largest > 0.0 && largest.is_finite() { largest } else { 1.0 };
        let used = (0..timeline.colours.len()).filter(|colour| points().any(|point| point.colour == *colour)).collect();
        Self { time, largest, beyond: values.last().is_some_and(|value| *value > largest), height: PANEL, used }
    }

    /// The colour of index `colour`: evenly along a scale that grows lighter in every kind of colour vision.
    fn shade(&self, colour: usize) -> RGBColor {
        let place = self.used.iter().position(|used| *used == colour).unwrap_or(0);
        along(place as f64 / self.used.len().saturating_sub(1).max(1) as f64)
    }

    fn x(&self, time: f64) -> i32 {
        let share = ((time - self.time.0) / (self.time.1 - self.time.0)).clamp(0.0, 1.0);
        LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32
    }

    fn y(&self, value: f64, bottom: i32) -> i32 {
        bottom - ((value / self.largest).clamp(0.0, 1.0) * f64::from(self.height)).round() as i32
    }
}
