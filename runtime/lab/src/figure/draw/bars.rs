//! Drawing [`Bars`].

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::Bars;
use super::{FAINT, Figure, INK, Pen, ticks};

const SIZE: (i32, i32) = (1200, 640);
const LEFT: i32 = 92;
const RIGHT: i32 = SIZE.0 - 24;
const BOTTOM: i32 = SIZE.1 - 64;

/// Okabe and Ito's colours, which differ in every kind of colour vision; black last, since it weighs the most.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(240, 228, 66),
    RGBColor(0, 0, 0),
];

impl Figure for Bars {
    fn size(&self) -> (u32, u32) {
        (SIZE.0 as u32, SIZE.1 as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>, scale: u32) -> Result<(), String> {
        root.fill(&WHITE).map_err(|error| error.to_string())?;
        let pen = Pen { root, scale };
        let y = pen.heading(&self.title, self.caveat.as_deref())?;
        let names: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        let colour = |series: usize| COLOURS[series % COLOURS.len()];
        let legend = pen.legend(&names, (24, y), RIGHT, |series, (x, y)| {
            pen.rectangle((x - 8, y - 7), (x + 8, y + 7), colour(series))
        })?;
        let top = y + legend + 16;

        let values =
            || self.series.iter().flat_map(|series| &series.values).flatten().filter(|value| value.is_finite());
        let lowest = values().copied().fold(0.0, f64::min);
        let highest = values().copied().fold(0.0, f64::max);
        let (lowest, highest) = if lowest < highest { (lowest * 1.08, highest * 1.08) } else { (0.0, 1.0) };
        let at = |value: f64| BOTTOM - ((value - lowest) / (highest - lowest) * f64::from(BOTTOM - top)).round() as i32;

        let (marks, decimals) = ticks(lowest, highest, 6.0);
        for mark in marks {
            pen.line((LEFT, at(mark)), (RIGHT, at(mark)), false, 1, FAINT)?;
            pen.text(&format!("{mark:.decimals$}"), 16, INK, HPos::Right, (LEFT - 8, at(mark)))?;
        }
        let groups = self.groups.len().max(1) as i32;
        let group_width = (RIGHT - LEFT) / groups;
        let gap = (group_width / 14).clamp(3, 40);
        let bar = ((group_width - 2 * gap) / self.series.len().max(1) as i32).clamp(1, 90);
        let crowded = self.groups.iter().any(|name| pen.width(name, 16) > group_width - 8);
        for (group, name) in self.groups.iter().enumerate() {
            let left = LEFT + group as i32 * group_width;
            let used = bar * self.series.len() as i32;
            let start = left + (group_width - used) / 2;
            for (place, series) in self.series.iter().enumerate() {
                let Some(value) = series.values.get(group).copied().flatten().filter(|value| value.is_finite()) else {
                    continue;
                };
                let x = start + place as i32 * bar;
                let (high, low) = (at(value.max(0.0)), at(value.min(0.0)));
                pen.rectangle((x + 1, high), (x + bar - 1, low), colour(place))?;
                let text = number(value);
                if pen.width(&text, 13) <= bar {
                    let y = if value < 0.0 { low + 9 } else { high - 9 };
                    pen.text(&text, 13, INK, HPos::Center, (x + bar / 2, y))?;
                }
            }
            // long names stand in two rows in turns
            let row = if crowded { group as i32 % 2 * 20 } else { 0 };
            pen.text(name, 16, INK, HPos::Center, (left + group_width / 2, BOTTOM + 18 + row))?;
        }
        pen.line((LEFT, at(0.0)), (RIGHT, at(0.0)), false, 1, INK)?;
        pen.line((LEFT, top), (LEFT, BOTTOM), false, 1, INK)?;
        pen.upright(&self.y_label, 17, (26, (top + BOTTOM) / 2))
    }
}

/// Two decimals where they matter.
fn number(value: f64) -> String {
    if value.abs() < 10.0 {
        format!("{value:.2}")
    } else if value.abs() < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}
