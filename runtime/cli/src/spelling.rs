//! Flags for what a text of samples does not say of itself.

use gaitd_daemon::{ConfigError, RATES};
use gaitd_sense::Spelling;

/// Names, units and a rate that go before the text's own.
#[derive(clap::Args, Default)]
pub(crate) struct SpellingArguments {
    /// Names of the columns of the samples, in their order, such as t,acc_x,acc_y,-: for a text without a header, or in
    /// place of the names in the one that it has; - is a column that is not wanted
    #[arg(long, value_name = "NAMES")]
    columns: Option<String>,
    /// Units of the samples, by channel, by sensor or of the time, such as acc=mg,gyro=dps,t=ms
    #[arg(long, value_name = "UNITS")]
    units: Option<String>,
    /// Samples per second of samples without times [default: what they declare, else what the model expects]
    #[arg(long, value_name = "HZ", value_parser = rate)]
    rate: Option<f64>,
}

/// A rate in hertz, out of a flag.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| RATES.contains(rate));
    rate.ok_or_else(|| format!("expected samples per second, from {} to {}", RATES.start(), RATES.end()))
}

impl SpellingArguments {
    /// Whether there is any of them.
    pub(crate) fn is_given(&self) -> bool {
        self.columns.is_some() || self.units.is_some() || self.rate.is_some()
    }

    /// What they say.
    ///
    /// # Errors
    /// When the units are no pairs.
    pub(crate) fn spelling(&self) -> Result<Spelling, ConfigError> {
        let units = Spelling::units_from(self.units.as_deref().unwrap_or_default());
        Ok(Spelling {
            columns: Spelling::columns_from(self.columns.as_deref().unwrap_or_default()),
            units: units.map_err(|problem| ConfigError::OutOfRange(vec![format!("--units: {problem}")]))?,
            rate_hz: self.rate,
        })
    }
}
