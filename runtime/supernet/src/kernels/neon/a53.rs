//! Kernels for Cortex-A53 and A55, which multiply while they load only where loads are narrow; no other core is faster with
//! them. What is not said here they have in common with all others.

use super::super::job::Job;
use super::super::{Form, Kernel, Set};
use super::tile::tiles;
use super::{CLASSIFIER, FIRST, NARROW, PANEL};

unsafe extern "C" {
    fn gaitd_supernet_neon_a53_2x9(job: *const Job);
    fn gaitd_supernet_neon_2x9(job: *const Job);
}

/// Eight outputs by nine positions.
///
/// # Safety
/// The job must be of so many and within its memory.
unsafe fn nine(job: &Job) {
    // SAFETY: the caller vouches for the job, and every aarch64 has the instructions
    unsafe {
        if job.count > 0 && job.fours > 0 && job.rest == 0 {
            gaitd_supernet_neon_a53_2x9(job);
        } else {
            gaitd_supernet_neon_2x9(job);
        }
    }
}

const EIGHT: Form = Form {
    vectors: 2,
    lanes: 4,
    taps: None,
    kernels: &{
        let [one, two, four, six] = *tiles!(
            1 gaitd_supernet_neon_2x1,
            2 gaitd_supernet_neon_2x2,
            4 gaitd_supernet_neon_2x4,
            6 gaitd_supernet_neon_2x6,
        );
        [one, two, four, six, (9, Kernel::Raw(nine))]
    },
};

pub(crate) static SET: Set = Set {
    name: "neon-a53",
    panel: PANEL,
    round: 4,
    lanes: 4,
    forms: &{
        let [a, b, c, d] = FIRST;
        [EIGHT, NARROW, a, b, c, d]
    },
    classify: CLASSIFIER,
};
