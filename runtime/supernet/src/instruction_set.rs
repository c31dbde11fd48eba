//! Which kernels compute here: the best that the processor has, or those that an environment variable names.

use std::env;

use crate::kernels::{self, Set};

/// The environment variable that names the kernels to compute with, for tests.
pub const ISA_VARIABLE: &str = "GAITD_SUPERNET_ISA";

/// The kernels that are used here.
///
/// # Errors
/// When the variable names none that this processor has; with those that it has.
pub(crate) fn chosen() -> Result<&'static Set, String> {
    let available = kernels::available();
    let Some(forced) = env::var_os(ISA_VARIABLE) else { return Ok(available[0]) };
    let found = available.iter().find(|set| forced == *set.name);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = available.iter().map(|set| set.name).collect();
        format!("{ISA_VARIABLE} is {}, and this processor has {}", forced.display(), names.join(", "))
    })
}
