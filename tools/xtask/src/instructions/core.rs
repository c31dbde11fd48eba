//! The cores that are counted on, and how a program is made to see one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::arm::targets::Target;

/// A processor core of ARM boards.
#[derive(Debug)]
pub(super) struct Core {
    /// Its name, as Arm and qemu write it.
    pub(super) name: &'static str,
    /// What runs on it.
    pub(super) target: Target,
    /// The core of qemu's that has its instructions; its own where even old versions of qemu know it.
    pub(super) emulated: &'static str,
    /// `CPU part` in `/proc/cpuinfo`, by which tract picks its kernels.
    part: &'static str,
    /// `Features` there.
    features: &'static str,
}

const V7: &str = "half thumb fastmult vfp edsp neon vfpv3 tls";
const V8: &str = "fp asimd evtstrm crc32 cpuid";
const V8_2: &str = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp";

const fn core(name: &'static str, target: Target, part: &'static str, features: &'static str) -> Core {
    Core { name, target, emulated: name, part, features }
}

/// At least one core for each set of kernels that tract has for a target.
pub(super) const CORES: [Core; 7] = [
    core("cortex-a53", Target::Aarch64Gnu, "0xd03", V8),
    // qemu knows it from 8.0 on; the A76 has the same instructions
    Core { emulated: "cortex-a76", ..core("cortex-a55", Target::Aarch64Gnu, "0xd05", V8_2) },
    core("cortex-a72", Target::Aarch64Gnu, "0xd08", V8),
    core("cortex-a76", Target::Aarch64Gnu, "0xd0b", V8_2),
    core("cortex-a7", Target::Armv7Gnu, "0xc07", V7),
    core("cortex-a9", Target::Armv7Gnu, "0xc09", V7),
    core("cortex-a15", Target::Armv7Gnu, "0xc0f", V7),
];

impl Core {
    /// Makes the folder within `folder` where qemu looks first when a program opens a file: this core's
    /// `/proc/cpuinfo`, of which old versions of qemu show the host's, beside the foreign `libraries`.
    pub(super) fn system_root(&self, folder: &Path, libraries: Option<&Path>) -> Result<PathBuf> {
        let root = folder.join("cores").join(self.name);
        let make = || -> std::io::Result<()> {
            if root.exists() {
                fs::remove_dir_all(&root)?;
            }
            fs::create_dir_all(root.join("proc"))?;
            fs::write(root.join("proc/cpuinfo"), self.cpuinfo())?;
            if let Some(libraries) = libraries {
                for entry in fs::read_dir(libraries)? {
                    let entry = entry?;
                    link(&entry.path(), &root.join(entry.file_name()))?;
                }
            }
            Ok(())
        };
        make().with_context(|| format!("cannot make {}", root.display()))?;
        Ok(root)
    }

    fn cpuinfo(&self) -> String {
        format!("processor\t: 0\nFeatures\t: {}\nCPU implementer\t: 0x41\nCPU part\t: {}\n", self.features, self.part)
    }
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::Error::other("qemu's user emulation needs Linux"))
}
