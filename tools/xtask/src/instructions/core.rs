//! The cores that are counted on, and how a program is made to see one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A processor core of ARM boards.
#[derive(Debug)]
pub(super) struct Core {
    /// Its name, as Arm and qemu write it.
    pub(super) name: &'static str,
    /// The core of qemu's that has its instructions; its own where even old versions of qemu know it.
    pub(super) emulated: &'static str,
    /// `CPU part` in `/proc/cpuinfo`, by which tract picks its kernels.
    part: &'static str,
    /// `Features` there.
    features: &'static str,
}

const V8: &str = "fp asimd evtstrm crc32 cpuid";
const V8_2: &str = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp";

/// One core for each set of kernels, and both that the Raspberry Pi 4 and 5 have.
pub(super) const CORES: [Core; 4] = [
    Core { name: "cortex-a53", emulated: "cortex-a53", part: "0xd03", features: V8 },
    // qemu knows it from 8.0 on; the A76 has the same instructions
    Core { name: "cortex-a55", emulated: "cortex-a76", part: "0xd05", features: V8_2 },
    Core { name: "cortex-a72", emulated: "cortex-a72", part: "0xd08", features: V8 },
    Core { name: "cortex-a76", emulated: "cortex-a76", part: "0xd0b", features: V8_2 },
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
        format!(
            "processor\t: 0\nFeatures\t: {}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: {}\n",
            self.features, self.part
        )
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
