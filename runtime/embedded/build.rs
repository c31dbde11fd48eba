//! Packs the shipped ladder into the binary, which is built anew when the ladder changes.
//!
//! Neighbouring rungs share weights to the bit, which a compressor that sees all of them at once finds; and of a weight
//! only the sign and the exponent are no noise, so the first, second, third and fourth bytes of all numbers of a network
//! are packed apart. Packed in one go the ladder takes two thirds of its size; `src/lib.rs` unpacks it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const MODEL: &str = "../../models/uci-har-cnn";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={MODEL}");
    println!("cargo::rerun-if-changed=build.rs");

    let mut names = Vec::new();
    for entry in fs::read_dir(MODEL)? {
        names.push(entry?.file_name().into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?);
    }
    names.retain(|name| name.ends_with(".onnx") || name.ends_with(".json"));
    names.sort();

    let mut index = String::new();
    let mut bytes = Vec::new();
    for name in &names {
        let file = fs::read(Path::new(MODEL).join(name))?;
        writeln!(index, "    ({name:?}, {}),", file.len())?;
        if name.ends_with(".onnx") {
            bytes.extend((0..4).flat_map(|plane| file.iter().skip(plane).step_by(4)));
        } else {
            bytes.extend(&file);
        }
    }
    gaitd_packed::pack("ladder", &bytes)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("ladder.rs"), format!("&[\n{index}]\n"))?;
    Ok(())
}
