//! gaitd's inferences as a module of Python, so that gaitd is called, timed and interrupted as the engines are that
//! `compare.py` sets beside it.

mod caches;
mod ladder;

use pyo3::prelude::*;

/// gaitd's engine.
#[pymodule]
mod gaitd_engine {
    use gaitd_supernet::WithKernels;
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::ladder::Ladder;

    /// gaitd's version.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// The names of the kernels that this processor can run, the best first.
    #[pyfunction]
    fn kernels() -> Vec<&'static str> {
        WithKernels::all().iter().map(gaitd_core::ladder::Backend::name).collect()
    }

    /// Multiply-accumulates per second in the fastest of so many short bursts; None where that is not known.
    #[pyfunction]
    fn fma_peak(bursts: usize) -> Option<f64> {
        gaitd_supernet::fma_peak(bursts)
    }

    /// Puts other data into the processor's caches.
    #[pyfunction]
    fn cool() {
        super::caches::cool();
    }
}
