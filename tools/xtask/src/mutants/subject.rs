//! What is mutated.

use clap::ValueEnum;

/// The modules of gaitd-core that must reach the goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Module {
    /// Samples and their continuity
    Stream,
    /// Conditioning
    Condition,
    /// Windows
    Window,
    /// How a policy picks a rung
    Demand,
    /// The engine
    Engine,
}

/// A module or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Module(Module),
    /// By its path below the crate's sources.
    File(String),
}

impl Subject {
    /// Its name in the report, and that of the folder of its results.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Module(Module::Stream) => "stream".to_owned(),
            Self::Module(Module::Condition) => "condition".to_owned(),
            Self::Module(Module::Window) => "window".to_owned(),
            Self::Module(Module::Demand) => "demand".to_owned(),
            Self::Module(Module::Engine) => "engine".to_owned(),
            Self::File(path) => path.replace('/', "-"),
        }
    }

    /// The files of the repository that it is made of.
    pub(super) fn glob(&self) -> String {
        let below = match self {
            Self::Module(Module::Demand) => "control/demand.rs".to_owned(),
            Self::Module(_) => format!("{}/**/*.rs", self.name()),
            Self::File(path) => path.clone(),
        };
        format!("runtime/core/src/{below}")
    }

    /// Whether the file at this path in the repository belongs to it.
    pub(super) fn has(&self, file: &str) -> bool {
        let glob = self.glob();
        glob.strip_suffix("**/*.rs").map_or(file == glob, |folder| file.starts_with(folder))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_module_is_where_it_is_looked_for() {
        for &module in Module::value_variants() {
            let subject = Subject::Module(module);
            let value = module.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(value, Some(subject.name()));
            let glob = subject.glob();
            let path = glob.strip_suffix("/**/*.rs").unwrap_or(&glob);
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).exists(), "{path}");
        }
    }

    #[test]
    fn a_module_has_its_files_and_no_others() {
        let window = Subject::Module(Module::Window);
        assert!(window.has("runtime/core/src/window/windower.rs"));
        assert!(!window.has("runtime/core/src/stream/mod.rs"));
        assert!(Subject::Module(Module::Demand).has("runtime/core/src/control/demand.rs"));
        assert!(!Subject::File("window/mod.rs".to_owned()).has("runtime/core/src/window/windower.rs"));
    }
}
