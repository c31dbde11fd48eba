//! A value over time, one panel above the other, coloured by what produced it.

use std::path::Path;

use super::FigureError;

/// Points over time in panels that share both axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// What it shows.
    pub title: String,
    /// What must be known to read it rightly; drawn under the title.
    pub caveat: Option<String>,
    /// The time axis, with its unit.
    pub x_label: String,
    /// The value axis, with its unit.
    pub y_label: String,
    /// What the points' colours stand for, in an order that means something: those that occur are drawn from dark to
    /// light.
    pub colours: Vec<String>,
    /// Named parts of the time axis.
    pub spans: Vec<Span>,
    /// One panel above the other.
    pub panels: Vec<Panel>,
}

/// A named part of the time axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// Where it starts, in the unit of the time axis.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// Its name.
    pub label: String,
}

/// One panel of a [`Timeline`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// The points, in any order.
    pub points: Vec<Point>,
    /// The lines; those of the first panel stand in the legend.
    pub lines: Vec<Line>,
}

/// One point of a [`Panel`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Time.
    pub x: f64,
    /// Value.
    pub y: f64,
    /// Index into [`Timeline::colours`].
    pub colour: usize,
}

/// A value that holds until the next one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// What it is.
    pub label: String,
    /// Drawn dashed, as the lesser of two.
    pub dashed: bool,
    /// From when which value holds, in order of time; the last one holds to the end of the axis.
    pub steps: Vec<(f64, f64)>,
}

impl Timeline {
    /// Writes the figure to `path`, as SVG or PNG by its extension.
    ///
    /// # Errors
    /// When the extension is another, the file cannot be written, or this gaitd was built without figures.
    pub fn save(&self, path: &Path) -> Result<(), FigureError> {
        super::save(self, path)
    }
}
