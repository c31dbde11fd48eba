//! A ladder whose rungs Python runs.

use std::path::PathBuf;
use std::time::Instant;

use gaitd_core::ladder::{Backend, GOLDEN_TOLERANCE, Ladder as Loaded, ModelDirectory, Runner};
use gaitd_supernet::{Supernet, WithKernels};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::caches;

/// A ladder, its buffers, and the window that is inferred next.
#[pyclass(unsendable)]
pub(crate) struct Ladder {
    ladder: Loaded,
    runner: Box<dyn Runner>,
    rung: usize,
    window: Vec<f32>,
    logits: Vec<f32>,
}

fn failed(error: impl std::fmt::Display) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

/// The backend of that name: `tract`, `supernet`, or supernet with kernels of one kind.
fn backend(name: &str) -> PyResult<Box<dyn Backend>> {
    #[cfg(feature = "tract")]
    if name == "tract" {
        return Ok(Box::new(gaitd_tract::Tract));
    }
    if name == "supernet" {
        return Ok(Box::new(Supernet));
    }
    let all = WithKernels::all();
    let names: Vec<_> = all.iter().map(Backend::name).collect();
    let unknown = || PyValueError::new_err(format!("no {name} here; there is {}", names.join(", ")));
    let place = names.iter().position(|known| *known == name).ok_or_else(unknown)?;
    Ok(Box::new(all[place]))
}

#[pymethods]
impl Ladder {
    /// Loads and verifies the ladder in `folder` for the backend, or the kernels, of that name.
    #[new]
    fn new(folder: PathBuf, name: &str) -> PyResult<Self> {
        let ladder = Loaded::load(&ModelDirectory::new(&folder), &[backend(name)?.as_ref()]).map_err(failed)?;
        let runner = ladder.runner().map_err(failed)?;
        let logits = vec![0.0; ladder.manifest().task.labels.len()];
        Ok(Self { ladder, runner, rung: 0, window: Vec::new(), logits })
    }

    /// Backend, version and kernels.
    fn identity(&self) -> String {
        self.ladder.network().identity()
    }

    /// Takes the configuration `rung` and a window, `[channels, time]` at full resolution, for what follows.
    fn load(&mut self, rung: usize, window: Vec<f32>) -> PyResult<()> {
        let task = &self.ladder.manifest().task;
        if rung >= self.ladder.configurations().len() || window.len() != task.channels.len() * task.window {
            return Err(PyValueError::new_err("no such rung, or a window of another size"));
        }
        (self.rung, self.window) = (rung, window);
        Ok(())
    }

    /// One inference, resampling included.
    fn run(&mut self) -> PyResult<()> {
        self.runner.infer(self.rung, &self.window, &mut self.logits).map_err(failed)
    }

    /// The latest answer.
    fn logits(&self) -> Vec<f32> {
        self.logits.clone()
    }

    /// Nanoseconds of an inference that begins when its window is complete, and of one's tail whose head was done `missing`
    /// samples before that, in turns and each `count` times; with cold caches before each where `cold`. None where there
    /// is no head.
    fn after_last_sample(&mut self, missing: usize, count: usize, cold: bool) -> PyResult<Option<Vec<(u64, u64)>>> {
        if self.ladder.network().head_macs(self.rung, missing).is_none() {
            return Ok(None);
        }
        let begin = || {
            if cold {
                caches::cool();
            }
            Instant::now()
        };
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let start = begin();
            self.runner.infer(self.rung, &self.window, &mut self.logits).map_err(failed)?;
            let whole = start.elapsed();
            let expected = self.logits.clone();
            if !self.runner.head(self.rung, &self.window, missing, &mut || true).map_err(failed)? {
                return Ok(None);
            }
            let start = begin();
            self.runner.tail(&self.window, &mut self.logits).map_err(failed)?;
            let tail = start.elapsed();
            let differs = |(one, other): (&f32, &f32)| f64::from((one - other).abs()) > f64::from(GOLDEN_TOLERANCE);
            if self.logits.iter().zip(&expected).any(differs) {
                return Err(failed("head and tail give other logits than the whole"));
            }
            times.push((whole.as_nanos() as u64, tail.as_nanos() as u64));
        }
        Ok(Some(times))
    }
}
