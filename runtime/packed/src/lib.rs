//! Files inside the program, packed: a build script packs them, and the program unpacks them, in Rust alone.

#![forbid(unsafe_code)]

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;

/// What the build script of this crate packed under a name.
#[macro_export]
macro_rules! packed {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".zst"))
    };
}

/// The contents of what [`packed!`] gives.
#[must_use]
pub fn unpack(mut packed: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    let unpacked = StreamingDecoder::new(&mut packed).map(|mut decoder| decoder.read_to_end(&mut contents));
    debug_assert!(matches!(unpacked, Ok(Ok(_))), "it was packed by a build script");
    contents
}

/// For build scripts: puts `contents` where [`packed!`] finds it under `name`; gives the path.
///
/// # Errors
/// When it cannot be written, or there is no `OUT_DIR`.
#[cfg(feature = "pack")]
pub fn pack(name: &str, contents: &[u8]) -> std::io::Result<std::path::PathBuf> {
    // beyond this, packing takes longer and gains nothing
    const LEVEL: i32 = 19;
    let folder = std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("this is no build script"))?;
    let path = std::path::Path::new(&folder).join(format!("{name}.zst"));
    std::fs::write(&path, zstd::bulk::compress(contents, LEVEL)?)?;
    Ok(path)
}
