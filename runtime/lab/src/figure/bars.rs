//! Values beside each other, in groups.

use std::path::Path;

use super::FigureError;

/// Bars in groups: one group per case, in each of them one bar per series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// What it shows.
    pub title: String,
    /// What must be known to read it rightly; drawn under the title.
    pub caveat: Option<String>,
    /// The value axis, with its unit.
    pub y_label: String,
    /// Names of the groups.
    pub groups: Vec<String>,
    /// One bar of each in every group.
    pub series: Vec<Series>,
}

/// One bar per group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What it is, for the legend.
    pub name: String,
    /// Its value in each of [`Bars::groups`]; nothing is drawn where there is none.
    pub values: Vec<Option<f64>>,
}

impl Bars {
    /// Writes the figure to `path`, as SVG or PNG by its extension.
    ///
    /// # Errors
    /// When the extension is another, the file cannot be written, or this gaitd was built without figures.
    pub fn save(&self, path: &Path) -> Result<(), FigureError> {
        super::save(self, path)
    }
}
