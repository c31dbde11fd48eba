//! In which order a network's input holds channels and time steps.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The axes of a network's input, written from the slowest to the fastest: `1,C,T` is a batch of one, channels, time
/// steps. `C*T` and `T*C` are one axis that holds both, the first one slower. `C` and `T` stand once each.
///
/// ```
/// use gaitd_core::ladder::Layout;
///
/// let layout: Layout = "1,T,C".parse()?;
/// assert_eq!(layout.shape(6, 128), [1, 128, 6]);
/// assert!(layout.time_first());
/// # Ok::<(), gaitd_core::ladder::LayoutError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^(1|N|C|T|C\*T|T\*C)(,(1|N|C|T|C\*T|T\*C))*$"))]
pub struct Layout(#[schemars(with = "String")] Vec<Axis>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    One,
    Channels,
    Time,
    ChannelsTime,
    TimeChannels,
}

/// How a shape holds channels and time steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// How many time steps it holds, where it says so.
    pub time: Option<usize>,
    /// Whether it says how many channels it holds.
    pub channels: bool,
}

/// The most axes that an input may have.
const MOST_AXES: usize = 6;

/// Layouts that exporters write, the likelier ones first.
const USUAL: [&str; 13] = [
    "1,C,T", "1,T,C", "1,1,C,T", "1,1,T,C", "1,C,1,T", "1,T,1,C", "1,C,T,1", "1,T,C,1", "1,C*T", "1,T*C", "C,T", "T,C",
    "C*T",
];

/// A text that is no layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no layout: axes are `1`, `C` (channels), `T` (time steps), `C*T` or `T*C`, with commas, C and T once each"
)]
pub struct LayoutError(String);

impl Layout {
    /// The layouts that exporters write, the likelier ones first.
    pub fn usual() -> impl Iterator<Item = Self> {
        USUAL.iter().filter_map(|text| text.parse().ok())
    }

    /// How an input of `shape` holds so many channels in this layout, where axes without a number fit every length; `None`
    /// where the shape does not allow it.
    #[must_use]
    pub fn fit(&self, shape: &[Option<usize>], channels: usize) -> Option<Fit> {
        if self.0.len() != shape.len() {
            return None;
        }
        let mut fit = Fit { time: None, channels: false };
        for (axis, length) in self.0.iter().zip(shape) {
            let Some(length) = *length else { continue };
            match axis {
                Axis::One if length == 1 => {}
                Axis::Channels if length == channels => fit.channels = true,
                Axis::Time => fit.time = Some(length),
                Axis::ChannelsTime | Axis::TimeChannels if length % channels == 0 => {
                    fit = Fit { time: Some(length / channels), channels: true };
                }
                _ => return None,
            }
        }
        Some(fit)
    }

    /// The lengths of the axes for so many channels and time steps.
    #[must_use]
    pub fn shape(&self, channels: usize, time: usize) -> Vec<usize> {
        let length = |axis: &Axis| match axis {
            Axis::One => 1,
            Axis::Channels => channels,
            Axis::Time => time,
            Axis::ChannelsTime | Axis::TimeChannels => channels * time,
        };
        self.0.iter().map(length).collect()
    }

    /// Whether all channels of one time step stand together, rather than all time steps of one channel.
    #[must_use]
    pub fn time_first(&self) -> bool {
        matches!(self.0.iter().find(|axis| **axis != Axis::One), Some(Axis::Time | Axis::TimeChannels))
    }
}

impl Default for Layout {
    /// `1,C,T`
    fn default() -> Self {
        Self(vec![Axis::One, Axis::Channels, Axis::Time])
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, axis) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "," })?;
            f.write_str(match axis {
                Axis::One => "1",
                Axis::Channels => "C",
                Axis::Time => "T",
                Axis::ChannelsTime => "C*T",
                Axis::TimeChannels => "T*C",
            })?;
        }
        Ok(())
    }
}

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        let axis = |name: &str| match name.trim() {
            "1" | "N" => Some(Axis::One),
            "C" => Some(Axis::Channels),
            "T" => Some(Axis::Time),
            "C*T" => Some(Axis::ChannelsTime),
            "T*C" => Some(Axis::TimeChannels),
            _ => None,
        };
        let axes: Option<Vec<Axis>> = text.split(',').map(axis).collect();
        let holds = |axes: &[Axis], one: Axis| {
            let both = matches!(one, Axis::Channels | Axis::Time);
            axes.iter()
                .filter(|axis| **axis == one || both && matches!(axis, Axis::ChannelsTime | Axis::TimeChannels))
                .count()
        };
        axes.filter(|axes| axes.len() <= MOST_AXES && holds(axes, Axis::Channels) == 1 && holds(axes, Axis::Time) == 1)
            .map(Self)
            .ok_or_else(|| LayoutError(text.to_owned()))
    }
}

impl TryFrom<String> for Layout {
    type Error = LayoutError;

    fn try_from(text: String) -> Result<Self, LayoutError> {
        text.parse()
    }
}

impl From<Layout> for String {
    fn from(layout: Layout) -> Self {
        layout.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_layouts_are_read_as_they_are_written() {
        for text in USUAL {
            let layout: Layout = text.parse().unwrap();
            assert_eq!(layout.to_string(), text);
            assert_eq!(layout.shape(6, 128).iter().product::<usize>(), 768, "{text}");
            assert_eq!(layout.time_first(), text.find('T') < text.find('C'), "{text}");
            let shape: Vec<_> = layout.shape(6, 128).into_iter().map(Some).collect();
            assert_eq!(layout.fit(&shape, 6), Some(Fit { time: Some(128), channels: true }), "{text}");
            assert_eq!(layout.fit(&vec![None; shape.len()], 6), Some(Fit::default()), "{text}");
        }
        assert_eq!(Layout::usual().count(), USUAL.len());
        assert_eq!("N, T, C".parse::<Layout>().unwrap().to_string(), "1,T,C");
        let impossible: [&[Option<usize>]; 4] =
            [&[Some(2), Some(6), Some(128)], &[Some(1), Some(9), Some(128)], &[Some(6), Some(128)], &[]];
        for shape in impossible {
            assert_eq!(Layout::default().fit(shape, 6), None, "{shape:?}");
        }
        for wrong in ["", "1", "C", "1,C,C", "1,C,T,T", "1,C*T,C", "1,t,c", "1,1,1,1,1,C,T", "2,C,T", "1;C;T"] {
            assert!(wrong.parse::<Layout>().is_err(), "{wrong}");
        }
    }
}
