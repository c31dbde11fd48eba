//! What a motion sensor measures, and what its channels are called here and there.

use std::path::{Path, PathBuf};

use super::{IioError, attribute};
use gaitd_core::stream::Channel;

/// What a motion sensor measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    Acceleration,
    AngularRate,
}

pub(super) const AXES: [char; 3] = ['x', 'y', 'z'];

impl Quantity {
    /// How IIO's files begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Acceleration => "in_accel",
            Self::AngularRate => "in_anglvel",
        }
    }

    /// Its three channels as they are called in a stream; IIO's values, scaled, are in these units.
    pub(super) fn channels(self) -> [Channel; 3] {
        let (name, unit) = match self {
            Self::Acceleration => ("acc", "m/s2"),
            Self::AngularRate => ("gyro", "rad/s"),
        };
        AXES.map(|axis| Channel { name: format!("{name}_{axis}"), unit: unit.to_owned() })
    }

    /// The file in `folder` that says `what` of an axis: its own, or the one for all axes. Nothing where neither is
    /// there.
    pub(super) fn file(self, folder: &Path, axis: char, what: &str) -> Option<PathBuf> {
        let prefix = self.prefix();
        [format!("{prefix}_{axis}_{what}"), format!("{prefix}_{what}")]
            .into_iter()
            .map(|name| folder.join(name))
            .find(|path| path.exists())
    }
}

/// From a raw value to the unit: (raw + offset) * scale, as IIO defines it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Conversion {
    scale: f64,
    offset: f64,
}

impl Conversion {
    /// What the device's folder says about an axis; no scale is 1, no offset 0. A scale of 0 is none.
    pub(super) fn read(quantity: Quantity, folder: &Path, axis: char) -> Result<Self, IioError> {
        let number = |what, none| match quantity.file(folder, axis, what) {
            Some(path) => Ok(attribute::number(&path)?.unwrap_or(none)),
            None => Ok(none),
        };
        let (scale, offset) = (number("scale", 1.0)?, number("offset", 0.0)?);
        if scale == 0.0 {
            let path = quantity.file(folder, axis, "scale").unwrap_or_default();
            let text = attribute::read(&path)?.unwrap_or_default();
            let problem = "a scale of 0 makes every reading 0, for the driver does not know the sensor's range; write one of \
                           its scales into the file, or ask for a range, which does that";
            return Err(IioError::content(&path, &text, problem));
        }
        Ok(Self { scale, offset })
    }

    pub(super) fn apply(self, raw: f64) -> f64 {
        (raw + self.offset) * self.scale
    }
}
