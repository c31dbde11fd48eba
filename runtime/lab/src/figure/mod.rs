//! Figures: what was measured or simulated, as SVG or PNG.
//!
//! A figure is plain data and says how it is read: axes with units, a legend, and a caveat that cannot be cropped away
//! from it. Drawing needs no system font and no library of the system; it can be left out of a build (the cargo
//! feature `figures`), and then saving says so.

mod bars;
#[cfg(feature = "figures")]
mod canvas;
#[cfg(feature = "figures")]
mod draw;
mod timeline;

use std::path::{Path, PathBuf};

use gaitd_core::exit::{self, ExitCode};

pub use bars::{Bars, Series};
pub use timeline::{Line, Panel, Point, Span, Timeline};

/// Whether this gaitd can draw; without it every save fails with [`FigureError::NotBuilt`].
pub const AVAILABLE: bool = cfg!(feature = "figures");

/// A figure that cannot be saved.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// This gaitd was built without figures.
    #[error(
        "{}: this gaitd was built without figures; build it with the cargo feature `figures`, which is on by default",
        .0.display()
    )]
    NotBuilt(PathBuf),
    /// The file's name does not say what it should become.
    #[error("{}: a figure's name must end in .svg or .png", .0.display())]
    Extension(PathBuf),
    /// The figure cannot be drawn.
    #[error("{}: the figure cannot be drawn: {message}", path.display())]
    Draw {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl ExitCode for FigureError {
    fn exit_code(&self) -> u8 {
        if matches!(self, Self::Write { .. }) { exit::IO } else { exit::SOFTWARE }
    }
}

/// What a figure's file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    Svg,
    Png,
}

impl FileKind {
    fn of(path: &Path) -> Result<Self, FigureError> {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(FigureError::Extension(path.to_path_buf())),
        }
    }
}

#[cfg(feature = "figures")]
fn save(figure: &impl draw::Figure, path: &Path) -> Result<(), FigureError> {
    let image = match FileKind::of(path)? {
        FileKind::Svg => canvas::svg(figure).map(String::into_bytes),
        FileKind::Png => canvas::png(figure),
    };
    let image = image.map_err(|message| FigureError::Draw { path: path.to_path_buf(), message })?;
    std::fs::write(path, image).map_err(|error| FigureError::Write { path: path.to_path_buf(), error })
}

#[cfg(not(feature = "figures"))]
fn save<T>(_: &T, path: &Path) -> Result<(), FigureError> {
    FileKind::of(path)?;
    Err(FigureError::NotBuilt(path.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_figure_is_refused() {
        let bars = Bars::default();
        for name in ["figure", "figure.gif", "svg"] {
            assert!(matches!(bars.save(Path::new(name)), Err(FigureError::Extension(_))), "{name}");
        }
    }

    #[cfg(feature = "figures")]
    #[test]
    fn both_kinds_are_written_and_a_missing_folder_is_named() {
        let folder = tempfile::TempDir::new().unwrap();
        let timeline = Timeline {
            title: "a < b & c".to_owned(),
            colours: vec!["one".to_owned(), "two".to_owned()],
            spans: vec![Span { start: 0.0, end: 1.0, label: "all".to_owned() }],
            panels: vec![Panel {
                title: "p".to_owned(),
                points: vec![Point { x: 0.5, y: 3.0, colour: 1 }],
                lines: vec![],
            }],
            ..Timeline::default()
        };
        timeline.save(&folder.path().join("t.SVG")).unwrap();
        let svg = std::fs::read_to_string(folder.path().join("t.SVG")).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("a &lt; b &amp; c") && svg.contains("two"), "{svg}");
        timeline.save(&folder.path().join("t.png")).unwrap();
        assert!(std::fs::read(folder.path().join("t.png")).unwrap().starts_with(b"\x89PNG"));
        let error = timeline.save(&folder.path().join("none/t.png")).unwrap_err().to_string();
        assert!(error.contains("none/t.png") && error.contains("No such file"), "{error}");
    }

    #[cfg(feature = "figures")]
    #[test]
    fn figures_without_data_can_be_drawn() {
        let folder = tempfile::TempDir::new().unwrap();
        Timeline::default().save(&folder.path().join("t.png")).unwrap();
        Timeline { panels: vec![Panel::default()], ..Timeline::default() }.save(&folder.path().join("p.png")).unwrap();
        Bars::default().save(&folder.path().join("b.png")).unwrap();
        let nothing = Series { name: "n".to_owned(), values: vec![None, Some(f64::NAN)] };
        let groups = vec!["g".to_owned(), "h".to_owned()];
        Bars { groups, series: vec![nothing], ..Bars::default() }.save(&folder.path().join("n.svg")).unwrap();
    }
}
