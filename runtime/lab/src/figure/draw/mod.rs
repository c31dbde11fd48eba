//! How figures are drawn, the same on every canvas.

mod bars;
mod timeline;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::FONT;

/// Something that can be drawn.
pub(super) trait Figure {
    /// Width and height, pixels.
    fn size(&self) -> (u32, u32);

    /// Draws it on `root`, every length `scale` times as long.
    fn draw<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>, scale: u32) -> Result<(), String>;
}

/// Black enough for text and axes.
const INK: RGBColor = RGBColor(34, 34, 34);
/// For what is said beside.
const GREY: RGBColor = RGBColor(96, 96, 96);
/// For the lines behind the data.
const FAINT: RGBColor = RGBColor(222, 222, 222);

/// Draws with lengths in unscaled pixels.
struct Pen<'a, DB: DrawingBackend> {
    root: &'a DrawingArea<DB, Shift>,
    scale: u32,
}

impl<DB: DrawingBackend> Pen<'_, DB> {
    fn long(&self, pixels: i32) -> i32 {
        pixels * self.scale as i32
    }

    fn at(&self, (x, y): (i32, i32)) -> (i32, i32) {
        (self.long(x), self.long(y))
    }

    fn style(&self, size: u32, colour: RGBColor, horizontal: HPos) -> TextStyle<'static> {
        (FONT, size * self.scale).into_font().color(&colour).pos(Pos::new(horizontal, VPos::Center))
    }

    fn text(&self, text: &str, size: u32, colour: RGBColor, horizontal: HPos, place: (i32, i32)) -> Result<(), String> {
        let style = self.style(size, colour, horizontal);
        self.root.draw_text(text, &style, self.at(place)).map_err(|error| error.to_string())
    }

    /// Text from below to above.
    fn upright(&self, text: &str, size: u32, place: (i32, i32)) -> Result<(), String> {
        let font = (FONT, size * self.scale).into_font().transform(FontTransform::Rotate270);
        let style = font.color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
        self.root.draw_text(text, &style, self.at(place)).map_err(|error| error.to_string())
    }

    /// Width of `text` in pixels.
    fn width(&self, text: &str, size: u32) -> i32 {
        let style = self.style(size, INK, HPos::Left);
        self.root.estimate_text_size(text, &style).map_or(0, |(width, _)| width as i32 / self.scale as i32)
    }

    fn rectangle(&self, from: (i32, i32), to: (i32, i32), colour: impl Into<RGBAColor>) -> Result<(), String> {
        let style = ShapeStyle { color: colour.into(), filled: true, stroke_width: 0 };
        self.root.draw(&Rectangle::new([self.at(from), self.at(to)], style)).map_err(|error| error.to_string())
    }

    fn disc(&self, place: (i32, i32), radius: i32, colour: RGBColor) -> Result<(), String> {
        let disc = Circle::new(self.at(place), self.long(radius), colour.filled());
        self.root.draw(&disc).map_err(|error| error.to_string())
    }

    /// A triangle that points up: its value lies beyond the axis.
    fn beyond(&self, (x, y): (i32, i32), colour: RGBColor) -> Result<(), String> {
        let corners = [(x - 4, y + 4), (x + 4, y + 4), (x, y - 4)].map(|corner| self.at(corner));
        self.root.draw(&Polygon::new(corners, colour.filled())).map_err(|error| error.to_string())
    }

    /// A straight line; dashed by hand, since not every canvas dashes.
    fn line(&self, from: (i32, i32), to: (i32, i32), dashed: bool, width: u32, colour: RGBColor) -> Result<(), String> {
        let style = colour.stroke_width(width * self.scale);
        let length = f64::from(to.0 - from.0).hypot(f64::from(to.1 - from.1));
        let (dash, period) = if dashed { (7.0, 12.0) } else { (length, length.max(1.0)) };
        let along = |distance: f64| {
            let share = (distance / length.max(1.0)).min(1.0);
            let between = |a: i32, b: i32| f64::from(a) + share * f64::from(b - a);
            self.at((between(from.0, to.0).round() as i32, between(from.1, to.1).round() as i32))
        };
        let mut start = 0.0;
        while start < length {
            let path = PathElement::new([along(start), along(start + dash)], style);
            self.root.draw(&path).map_err(|error| error.to_string())?;
            start += period;
        }
        Ok(())
    }

    /// The title and, under it, the caveat; returns the height that they take.
    fn heading(&self, title: &str, caveat: Option<&str>) -> Result<i32, String> {
        self.text(title, 24, INK, HPos::Left, (24, 28))?;
        let Some(caveat) = caveat else { return Ok(52) };
        self.text(caveat, 17, GREY, HPos::Left, (24, 54))?;
        Ok(76)
    }

    /// Legend entries from left to right, wrapped at `right`; `sign` draws each one's sign, whose middle it is given.
    /// Returns the height that they take.
    fn legend(
        &self,
        names: &[&str],
        (left, top): (i32, i32),
        right: i32,
        mut sign: impl FnMut(usize, (i32, i32)) -> Result<(), String>,
    ) -> Result<i32, String> {
        let (mut x, mut y) = (left, top);
        for (index, name) in names.iter().enumerate() {
            let width = 26 + self.width(name, 16) + 22;
            if x + width > right && x > left {
                (x, y) = (left, y + 22);
            }
            sign(index, (x + 10, y + 10))?;
            self.text(name, 16, INK, HPos::Left, (x + 26, y + 10))?;
            x += width;
        }
        Ok(y + 28 - top)
    }
}

/// A round step of which about `count` cover `length`.
fn round_step(length: f64, count: f64) -> f64 {
    let rough = (length / count).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= 0.8 * rough).unwrap_or(rough)
}

/// The multiples of a round step from `from` to `to`, and how many decimals they need.
fn ticks(from: f64, to: f64, count: f64) -> (Vec<f64>, usize) {
    let step = round_step(to - from, count);
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let first = (from / step).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    ((first..=last).map(|tick| tick as f64 * step).collect(), decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 80.0, 5.0), (vec![0.0, 20.0, 40.0, 60.0, 80.0], 0));
        assert_eq!(ticks(-0.3, 1.0, 4.0), (vec![0.0, 0.5, 1.0], 1));
        assert_eq!(ticks(0.0, 0.03, 3.0).1, 2);
        assert_eq!(ticks(0.0, 80.5, 4.0).0.len(), 5);
    }
}
