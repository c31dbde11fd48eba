//! The architectures that there are packages for.

use std::fmt;

use clap::ValueEnum;

use crate::arm::targets::Target;

/// An architecture, as Debian names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// PCs
    Amd64,
    /// Raspberry Pi 3 and later, with a 64-bit system
    Arm64,
    /// Raspberry Pi 2 and later, with a 32-bit system
    Armhf,
}

impl Architecture {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Armhf => "armhf",
        }
    }

    /// The Rust target.
    pub(super) fn triple(self) -> &'static str {
        self.arm().map_or("x86_64-unknown-linux-gnu", Target::triple)
    }

    /// The target of the cross toolchain, if it needs that.
    pub(crate) fn arm(self) -> Option<Target> {
        match self {
            Self::Amd64 => None,
            Self::Arm64 => Some(Target::Aarch64Gnu),
            Self::Armhf => Some(Target::Armv7Gnu),
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
