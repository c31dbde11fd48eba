//! Packs the files of `docs/schema` into the binary.

use std::error::Error;
use std::fs;

const FILES: &str = "../../docs/schema";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FILES}");
    println!("cargo::rerun-if-changed=build.rs");
    for entry in fs::read_dir(FILES)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a file's name is not UTF-8")?;
        gaitd_packed::pack(name, &fs::read(&path)?)?;
    }
    Ok(())
}
