//! Files inside the program, packed: a build script packs them, and the program unpacks them, in Rust alone.

#![forbid(unsafe_code)]

use std::io::{self, Read};

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
pub fn unpack(packed: &[u8]) -> Vec<u8> {
    let contents = try_unpack(packed);
    debug_assert!(contents.is_ok(), "it was packed by a build script");
    contents.unwrap_or_default()
}

/// The contents of what [`packed!`] gives, or should.
///
/// # Errors
/// When the program no longer holds what was packed when it was built.
pub fn try_unpack(mut packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    StreamingDecoder::new(&mut packed).map_err(io::Error::other)?.read_to_end(&mut contents)?;
    Ok(contents)
}

/// For build scripts: puts `contents` where [`packed!`] finds it under `name`; gives the path.
///
/// # Errors
/// When it cannot be written, or there is no `OUT_DIR`.
#[cfg(feature = "pack")]
pub fn pack(name: &str, contents: &[u8]) -> io::Result<std::path::PathBuf> {
    // beyond this, packing takes longer and gains nothing
    const LEVEL: i32 = 19;
    let folder = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("this is no build script"))?;
    let path = std::path::Path::new(&folder).join(format!("{name}.zst"));
    std::fs::write(&path, zstd::bulk::compress(contents, LEVEL)?)?;
    Ok(path)
}
