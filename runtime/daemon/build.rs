//! Packs the dashboard's files into the binary.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "http")]
    assets::pack()?;
    Ok(())
}

#[cfg(feature = "http")]
mod assets {
    use std::env;
    use std::error::Error;
    use std::fmt::Write;
    use std::fs;
    use std::path::Path;

    const FILES: &str = "src/http/assets/files";

    /// Packs each, and writes the list of them.
    pub(super) fn pack() -> Result<(), Box<dyn Error>> {
        println!("cargo::rerun-if-changed={FILES}");
        let mut files = fs::read_dir(FILES)?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        let mut list = String::new();
        for file in files {
            let name = file.file_name();
            let name = name.to_str().ok_or("a file's name is not UTF-8")?;
            let packed = gaitd_packed::pack(name, &fs::read(file.path())?)?;
            writeln!(list, "    ({name:?}, include_bytes!({packed:?})),")?;
        }
        fs::write(Path::new(&env::var("OUT_DIR")?).join("assets.rs"), format!("[\n{list}]\n"))?;
        Ok(())
    }
}
