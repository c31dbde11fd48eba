//! Values read one by one, at times that are this program's.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::device::Device;
use super::error::is_gone;
use super::quantity::{AXES, Quantity};
use super::{IioError, attribute};
use gaitd_core::clock::Clock;

/// Reads `in_*_raw` at a rate.
pub(super) struct Polling {
    device: String,
    files: Vec<(PathBuf, File)>,
    period: Duration,
    clock: Arc<dyn Clock>,
    due: Duration,
}

impl Polling {
    pub(super) fn start(
        device: &Device,
        quantities: &[Quantity],
        rate_hz: f64,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IioError> {
        let mut files = Vec::new();
        for quantity in quantities {
            for axis in AXES {
                let path = device.folder.join(format!("{}_{axis}_raw", quantity.prefix()));
                let file = File::open(&path).map_err(|error| IioError::file("open", &path, error))?;
                files.push((path, file));
            }
        }
        let (period, due) = (Duration::from_secs_f64(rate_hz.recip()), clock.now());
        Ok(Self { device: device.to_string(), files, period, clock, due })
    }

    /// The next values, once they are due; nothing where that is later than in `wait`.
    pub(super) fn next(&mut self, wait: Duration) -> Result<Option<Vec<f64>>, IioError> {
        let limit = self.clock.now() + wait;
        self.clock.wait_until(self.due.min(limit));
        if limit < self.due {
            return Ok(None);
        }
        let values = self.files.iter().map(|(path, file)| {
            let mut bytes = [0; 32];
            let length = file.read_at(&mut bytes, 0).map_err(|error| {
                if is_gone(&error) {
                    IioError::Gone { device: self.device.clone() }
                } else {
                    IioError::file("read", path, error)
                }
            })?;
            let text = String::from_utf8_lossy(&bytes[..length]);
            attribute::parse(path, text.trim())
        });
        let values = values.collect::<Result<_, _>>()?;
        // the times that have passed by now are lost, not made up for
        let late = self.clock.now().saturating_sub(self.due).as_nanos() / self.period.as_nanos().max(1);
        self.due += self.period * (1 + u32::try_from(late).unwrap_or(u32::MAX));
        Ok(Some(values))
    }
}
