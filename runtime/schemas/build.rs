//! Packs the files of `docs/schema` into the binary.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const FILES: &str = "../../docs/schema";

/// Beyond this, packing takes longer and gains nothing.
const LEVEL: i32 = 19;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FILES}");
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR")?;
    for entry in fs::read_dir(FILES)? {
        let path = entry?.path();
        let packed = zstd::bulk::compress(&fs::read(&path)?, LEVEL)?;
        let name = path.file_name().unwrap_or_default();
        fs::write(Path::new(&out).join(name).with_extension("zst"), packed)?;
    }
    Ok(())
}
