//! The systems that gaitd is built for.

use std::env;
use std::fmt;

use clap::ValueEnum;

use super::ndk;

/// A Rust target, by its triple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Target {
    /// 64-bit boards with glibc: Raspberry Pi 3 and later
    #[value(name = "aarch64-unknown-linux-gnu")]
    Aarch64Gnu,
    /// 32-bit boards with glibc: Raspberry Pi 2 and later
    #[value(name = "armv7-unknown-linux-gnueabihf")]
    Armv7Gnu,
    /// 64-bit boards with any Linux, as one static file
    #[value(name = "aarch64-unknown-linux-musl")]
    Aarch64Musl,
    /// 32-bit boards with any Linux, as one static file
    #[value(name = "armv7-unknown-linux-musleabihf")]
    Armv7Musl,
    /// Raspberry Pi Zero and 1 with any Linux, as one static file
    #[value(name = "arm-unknown-linux-musleabihf")]
    Armv6Musl,
    /// PCs with any Linux, as one static file
    #[value(name = "x86_64-unknown-linux-musl")]
    X86Musl,
    /// Android on 64-bit devices
    #[value(name = "aarch64-linux-android")]
    Android,
}

/// What `cargo xtask arm` does for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Proof {
    /// Compiles it: there is no linker
    Checked,
    /// Builds it, and runs nothing
    Linked,
    /// Builds it into one static file, runs that on the golden vectors, and compares answers with those of this machine
    Run,
    /// Runs the tests, and compares answers with those of this machine
    Tested,
}

impl Target {
    /// Length of the longest name.
    pub(crate) const WIDTH: usize = 30;

    /// The target's name, in Rust and in `cross`.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Aarch64Gnu => "aarch64-unknown-linux-gnu",
            Self::Armv7Gnu => "armv7-unknown-linux-gnueabihf",
            Self::Aarch64Musl => "aarch64-unknown-linux-musl",
            Self::Armv7Musl => "armv7-unknown-linux-musleabihf",
            Self::Armv6Musl => "arm-unknown-linux-musleabihf",
            Self::X86Musl => "x86_64-unknown-linux-musl",
            Self::Android => "aarch64-linux-android",
        }
    }

    /// How far it is proven here.
    pub(crate) fn proof(self) -> Proof {
        match self {
            Self::Aarch64Gnu | Self::Armv7Gnu => Proof::Tested,
            Self::Aarch64Musl | Self::Armv7Musl | Self::Armv6Musl | Self::X86Musl => Proof::Run,
            Self::Android if ndk::bin().is_some() => Proof::Linked,
            Self::Android => Proof::Checked,
        }
    }

    /// Whether its programs are one static file, with musl in it.
    pub(crate) fn is_musl(self) -> bool {
        matches!(self, Self::Aarch64Musl | Self::Armv7Musl | Self::Armv6Musl | Self::X86Musl)
    }

    /// Its processor.
    pub(super) fn processor(self) -> Processor {
        match self {
            Self::Aarch64Gnu | Self::Aarch64Musl | Self::Android => Processor::Arm64,
            Self::Armv7Gnu | Self::Armv7Musl | Self::Armv6Musl => Processor::Arm,
            Self::X86Musl => Processor::X86,
        }
    }

    /// The core, as qemu names it, that programs for the target are emulated on, where qemu's richest would hide that they
    /// need more than the target has.
    pub(super) fn core(self) -> Option<&'static str> {
        match self {
            Self::Armv6Musl => Some("arm1176"),
            Self::Armv7Gnu | Self::Armv7Musl => Some("cortex-a7"),
            Self::Aarch64Gnu | Self::Aarch64Musl => Some("cortex-a53"),
            Self::X86Musl | Self::Android => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.triple())
    }
}

/// What its C compiler, emulator and packages are named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Processor {
    /// 64 bits
    Arm64,
    /// 32 bits
    Arm,
    /// PCs, 64 bits
    X86,
}

impl Processor {
    /// Prefix of the GNU compiler for it. It serves for targets with another C library too, as assembler and as
    /// linker of what is given to it.
    pub(super) fn gnu(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-linux-gnu",
            Self::Arm => "arm-linux-gnueabihf",
            Self::X86 => "x86_64-linux-gnu",
        }
    }

    /// The names of qemu's emulator of programs for it.
    pub(super) fn emulators(self) -> &'static [&'static str] {
        match self {
            Self::Arm64 => &["qemu-aarch64", "qemu-aarch64-static"],
            Self::Arm => &["qemu-arm", "qemu-arm-static"],
            Self::X86 => &["qemu-x86_64", "qemu-x86_64-static"],
        }
    }

    /// Debian's name of it.
    pub(super) fn debian(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::Arm => "armhf",
            Self::X86 => "amd64",
        }
    }

    /// Whether this machine runs its programs without an emulator.
    pub(super) fn is_here(self) -> bool {
        match self {
            Self::Arm64 => env::consts::ARCH == "aarch64",
            Self::Arm => false,
            Self::X86 => env::consts::ARCH == "x86_64",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_chosen_by_the_names_that_cargo_knows() {
        for target in Target::value_variants() {
            let name = target.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(target.triple()));
            assert!(target.triple().len() <= Target::WIDTH);
        }
    }
}
