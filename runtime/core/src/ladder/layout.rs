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

/// The most axes that an input may have.
const MOST_AXES: usize = 6;

/// A text that is no layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no layout: axes are `1`, `C` (channels), `T` (time steps), `C*T` or `T*C`, with commas, C and T once each"
)]
pub struct LayoutError(String);

impl Layout {
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

    /// Layouts that exporters write.
    const USUAL: [&str; 13] = [
        "1,C,T", "1,T,C", "1,1,C,T", "1,1,T,C", "1,C,1,T", "1,T,1,C", "1,C,T,1", "1,T,C,1", "1,C*T", "1,T*C", "C,T",
        "T,C", "C*T",
    ];

    #[test]
    fn usual_layouts_are_read_as_they_are_written() {
        for text in USUAL {
            let layout: Layout = text.parse().unwrap();
            assert_eq!(layout.to_string(), text);
            assert_eq!(layout.shape(6, 128).iter().product::<usize>(), 768, "{text}");
            assert_eq!(layout.time_first(), text.find('T') < text.find('C'), "{text}");
        }
        assert_eq!("N, T, C".parse::<Layout>().unwrap().to_string(), "1,T,C");
        for wrong in ["", "1", "C", "1,C,C", "1,C,T,T", "1,C*T,C", "1,t,c", "1,1,1,1,1,C,T", "2,C,T", "1;C;T"] {
            assert!(wrong.parse::<Layout>().is_err(), "{wrong}");
        }
    }
}
