//! A profile: the latencies of a ladder's configurations measured on this device, kept where the daemon finds it.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::Ladder;
use crate::control::Halves;
use crate::exit::{self, ExitCode};
use crate::state_file;

const SCHEMA: u32 = 2;

/// What an inference can have taken, microseconds: a nanosecond to an hour. A latency of nothing, or one beyond what a
/// duration can hold, would make every prediction about it nonsense.
const LATENCIES_US: RangeInclusive<f64> = 1e-3..=3.6e9;

/// A profile that cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}; measure anew with `gaitd profile`", path.display())]
pub struct ProfileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub message: String,
}

impl ExitCode for ProfileError {
    fn exit_code(&self) -> u8 {
        exit::IO
    }
}

/// What a profile belongs to: one ladder on one processor, by one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileKey {
    /// [`Ladder::model_hash`].
    pub model: String,
    /// The processor, as the operating system names it.
    pub cpu: String,
    /// [`Network::identity`](super::backend::Network::identity).
    pub backend: String,
}

impl ProfileKey {
    /// The key of `ladder` on the processor named `cpu`.
    #[must_use]
    pub fn new(ladder: &Ladder, cpu: &str) -> Self {
        let backend = ladder.network().identity();
        Self { model: ladder.model_hash().to_owned(), cpu: cpu.to_owned(), backend }
    }

    /// The file within `directory` in which this key's profile is kept.
    #[must_use]
    pub fn path(&self, directory: &Path) -> PathBuf {
        self.file(&directory.join("profiles"))
    }

    /// The file within `directory` in which this key's file of any kind is kept.
    #[must_use]
    pub fn file(&self, directory: &Path) -> PathBuf {
        let cpu: String =
            self.cpu.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        directory.join(format!("{}-{cpu}-{}.json", &self.model[..16], self.backend))
    }
}

/// How an inference was paced while it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// One straight after the other: caches warm, clock high.
    Hot,
    /// One every so often, as the daemon runs them.
    Paced,
}

/// Latency percentiles, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
}

impl Percentiles {
    /// The percentiles of `latencies` by the nearest-rank method, which it sorts; `None` if there are none.
    #[must_use]
    pub fn of(latencies: &mut [Duration]) -> Option<Self> {
        latencies.sort_unstable();
        let rank = |share: f64| nearest_rank(latencies, share).map(|latency| latency.as_secs_f64() * 1e6);
        Some(Self { p50: rank(0.5)?, p90: rank(0.9)?, p99: rank(0.99)? })
    }
}

/// The value that the share `share` of the sorted `values` does not exceed; `None` if there are none.
pub fn nearest_rank<T: Copy>(values: &[T], share: f64) -> Option<T> {
    let place = (share * values.len() as f64).ceil() as usize;
    values.get(place.max(1) - 1).copied()
}

/// The measured latencies of one configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiled {
    /// The configuration.
    pub id: String,
    /// Inferences straight after each other.
    pub hot: Percentiles,
    /// Inferences paced as the daemon runs them.
    pub paced: Percentiles,
    /// The same in two parts, where they can begin before their windows are complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halves: Option<ProfiledHalves>,
}

/// The measured latencies of inferences that begin before their windows are complete, paced as the daemon runs them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfiledHalves {
    /// So many samples were missing at the window's end.
    pub missing: usize,
    /// All that needs none of them.
    pub head: Percentiles,
    /// The rest.
    pub tail: Percentiles,
}

/// The measured latencies of a ladder on one processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Version of this format: 2; the first did not say by which backend.
    pub schema: u32,
    /// The gaitd that measured.
    pub gaitd: String,
    /// [`Ladder::model_hash`].
    pub model: String,
    /// The processor.
    pub cpu: String,
    /// The backend, its version and instruction set.
    #[serde(default)]
    pub backend: String,
    /// Inferences per configuration in the hot regime.
    pub hot_windows: usize,
    /// Inferences per configuration in the paced regime.
    pub paced_windows: usize,
    /// From one inference to the next in the paced regime, milliseconds.
    pub pace_ms: f64,
    /// What spoils the figures, in sentences; empty when nothing does.
    pub warnings: Vec<String>,
    /// One entry per configuration.
    pub configurations: Vec<Profiled>,
}

impl Profile {
    /// A profile of `key`, measured now.
    #[must_use]
    pub fn new(key: &ProfileKey, hot_windows: usize, paced_windows: usize, pace: Duration) -> Self {
        Self {
            schema: SCHEMA,
            gaitd: env!("CARGO_PKG_VERSION").to_owned(),
            model: key.model.clone(),
            cpu: key.cpu.clone(),
            backend: key.backend.clone(),
            hot_windows,
            paced_windows,
            pace_ms: pace.as_secs_f64() * 1e3,
            warnings: Vec::new(),
            configurations: Vec::new(),
        }
    }

    /// A profile of `ladder` on the processor `cpu` that is known rather than measured: one latency for each of its
    /// configurations, in their order.
    #[must_use]
    pub fn known(ladder: &Ladder, cpu: &str, latencies: &[Duration]) -> Self {
        let configurations = ladder.configurations().iter().zip(latencies).map(|(configuration, latency)| {
            let us = latency.as_secs_f64() * 1e6;
            let percentiles = Percentiles { p50: us, p90: us, p99: us };
            Profiled { id: configuration.id.clone(), hot: percentiles, paced: percentiles, halves: None }
        });
        let configurations = configurations.collect();
        Self { configurations, ..Self::new(&ProfileKey::new(ladder, cpu), 0, 0, Duration::ZERO) }
    }

    /// The paced median of the configuration `id`: what the daemon expects of it on an idle device.
    #[must_use]
    pub fn expected(&self, id: &str) -> Option<Duration> {
        let profiled = self.configurations.iter().find(|profiled| profiled.id == id)?;
        Some(Duration::from_secs_f64(profiled.paced.p50 / 1e6))
    }

    /// The paced medians of the two parts of an inference of the rung `rung` of `ladder` that begins without the window's last
    /// `missing` samples; nothing where it cannot. What was measured with another number of samples, or not at all, is
    /// reckoned by the multiply-accumulates of the parts.
    #[must_use]
    pub fn halves(&self, ladder: &Ladder, rung: usize, missing: usize) -> Option<Halves> {
        let configuration = &ladder.configurations()[rung];
        let whole = ladder.network().macs(rung)?;
        let head_macs = |missing: usize| Some(ladder.network().head_macs(rung, missing)?.min(whole));
        let tail_share = |missing: usize| Some((whole - head_macs(missing)?) as f64 / whole.max(1) as f64);
        let share = tail_share(missing)?;
        let profiled = self.configurations.iter().find(|profiled| profiled.id == configuration.id)?;
        let us = |us: f64| Duration::from_secs_f64(us / 1e6);
        let (head, tail) = match &profiled.halves {
            Some(halves) if halves.missing == missing => (halves.head.p50, halves.tail.p50),
            measured => {
                let other = measured.as_ref().and_then(|it| Some((it.tail.p50, tail_share(it.missing)?)));
                let tail = other.map_or(profiled.paced.p50 * share, |(tail, other)| tail * share / other.max(1e-6));
                let tail = tail.min(profiled.paced.p50);
                (profiled.paced.p50 - tail, tail)
            }
        };
        Some(Halves { head: us(head), tail: us(tail) })
    }

    /// The profile kept for `key` in `directory`, if there is one.
    ///
    /// # Errors
    /// When the file is unreadable, damaged or belongs to another ladder, processor or backend.
    pub fn find(key: &ProfileKey, directory: &Path) -> Result<Option<Self>, ProfileError> {
        let path = key.path(directory);
        match state_file::read(&path) {
            Ok(bytes) => bytes.map(|bytes| Self::parse(&bytes, &path, key)).transpose(),
            Err(error) => Err(ProfileError { path, message: error.to_string() }),
        }
    }

    /// Reads and checks the profile of `key` from `bytes`; `path` names them in errors.
    ///
    /// # Errors
    /// When they are damaged, hold a latency that cannot be, or belong to another ladder, processor or backend.
    pub fn parse(bytes: &[u8], path: &Path, key: &ProfileKey) -> Result<Self, ProfileError> {
        let wrong = |message: String| ProfileError { path: path.to_path_buf(), message };
        let profile: Self = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        if profile.schema != SCHEMA {
            return Err(wrong(format!("schema is {}, and this gaitd reads schema {SCHEMA}", profile.schema)));
        }
        if (&profile.model, &profile.cpu, &profile.backend) != (&key.model, &key.cpu, &key.backend) {
            return Err(wrong("it belongs to another ladder, processor or backend".to_owned()));
        }
        let sane = |it: &Percentiles| [it.p50, it.p90, it.p99].iter().all(|us| LATENCIES_US.contains(us));
        let halves = |it: &Option<ProfiledHalves>| it.as_ref().is_none_or(|it| sane(&it.head) && sane(&it.tail));
        let all = |it: &Profiled| sane(&it.hot) && sane(&it.paced) && halves(&it.halves);
        if let Some(profiled) = profile.configurations.iter().find(|it| !all(it)) {
            let id = &profiled.id;
            return Err(wrong(format!(
                "no inference of {id} can have taken so long: a nanosecond to an hour is possible"
            )));
        }
        Ok(profile)
    }

    /// Keeps the profile in `directory`, and returns the file. A reader never sees half of it.
    ///
    /// # Errors
    /// When the directory or the file cannot be written.
    pub fn save(&self, directory: &Path) -> Result<PathBuf, ProfileError> {
        let path = ProfileKey { model: self.model.clone(), cpu: self.cpu.clone(), backend: self.backend.clone() }
            .path(directory);
        let write = || state_file::replace(&path, &serde_json::to_vec_pretty(self)?);
        write().map_err(|error: std::io::Error| ProfileError {
            path: path.clone(),
            message: format!("the profile cannot be kept: {error}"),
        })?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_that_cannot_be_are_refused() {
        let [model, cpu, backend] = ["0123456789abcdef", "A CPU", "fake"].map(str::to_owned);
        let key = ProfileKey { model, cpu, backend };
        let parse = |place: fn(&mut Profiled) -> &mut f64, us: f64| {
            let mut profile = Profile::new(&key, 1, 1, Duration::from_millis(1));
            let percentiles = Percentiles { p50: 2.0, p90: 3.0, p99: 4.0 };
            let halves = Some(ProfiledHalves { missing: 4, head: percentiles, tail: percentiles });
            profile.configurations.push(Profiled { id: "a".to_owned(), hot: percentiles, paced: percentiles, halves });
            *place(&mut profile.configurations[0]) = us;
            Profile::parse(&serde_json::to_vec(&profile).unwrap(), Path::new("file"), &key)
        };
        let places: [fn(&mut Profiled) -> &mut f64; 5] = [
            |it| &mut it.paced.p50,
            |it| &mut it.hot.p50,
            |it| &mut it.paced.p99,
            |it| &mut it.halves.as_mut().unwrap().head.p90,
            |it| &mut it.halves.as_mut().unwrap().tail.p50,
        ];
        for place in places {
            // no duration tells the third from nothing, or can hold the fourth
            for us in [0.0, -1.0, 1e-7, 1e30] {
                let message = parse(place, us).unwrap_err().to_string();
                assert!(message.contains("inference of a") && message.contains("gaitd profile"), "{us}: {message}");
            }
            assert!(parse(place, 5.0).unwrap().expected("a").is_some());
        }
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut latencies: Vec<_> = (1..=100).rev().map(Duration::from_micros).collect();
        assert_eq!(Percentiles::of(&mut latencies), Some(Percentiles { p50: 50.0, p90: 90.0, p99: 99.0 }));
        assert_eq!(Percentiles::of(&mut latencies[..1]).map(|p| p.p99), Some(1.0));
        assert_eq!(Percentiles::of(&mut []), None);
    }
}
