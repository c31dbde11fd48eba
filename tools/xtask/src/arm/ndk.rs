//! Google's kit of Android's libraries and compilers, which no registry of packages has: the caller installs it.

use std::env;
use std::path::{Path, PathBuf};

/// The variables that may name its folder, as its own documents and others' tools have them.
const NAMES: [&str; 3] = ["ANDROID_NDK_HOME", "ANDROID_NDK_ROOT", "ANDROID_NDK"];

/// The first version of Android that programs run on: 7.0.
const API: u32 = 24;

/// The folder of its programs, if the caller has it.
pub(crate) fn bin() -> Option<PathBuf> {
    let folders = NAMES.into_iter().filter_map(env::var_os);
    folders.map(|folder| Path::new(&folder).join("toolchains/llvm/prebuilt/linux-x86_64/bin")).find(|bin| bin.is_dir())
}

/// The C compiler, and linker, for 64-bit devices in that folder.
pub(super) fn compiler(bin: &Path) -> PathBuf {
    bin.join(format!("aarch64-linux-android{API}-clang"))
}
