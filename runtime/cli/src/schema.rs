//! `gaitd schema`: the forms of what gaitd reads and writes, for editors and programs.

use gaitd_api::DecisionLine;
use gaitd_api::schema::{of_answer, of_file};
use gaitd_core::ladder::Manifest;
use gaitd_daemon::Config;
use gaitd_lab::simulate::Scenario;
use gaitd_sense::RecordingInfo;

/// Print the JSON Schema of what gaitd reads or writes, or the description of its HTTP interface
#[derive(clap::Args)]
#[command(
    after_help = "With \"$schema\": \"gaitd.schema.json\" as the first field of a configuration, an editor completes and \
                        checks it.\n\nExample: gaitd schema config > gaitd.schema.json"
)]
pub(super) struct Arguments {
    /// What is described
    #[arg(value_enum, value_name = "WHAT")]
    subject: Subject,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Subject {
    /// A configuration of `gaitd run`
    Config,
    /// The manifest.json of a model directory
    Manifest,
    /// A scenario of `gaitd simulate`
    Scenario,
    /// The JSON beside a recording of `gaitd import`
    Recording,
    /// A decision, as NDJSON and events carry it
    Decision,
    /// The HTTP interface, as OpenAPI 3.1
    #[cfg(feature = "http")]
    Openapi,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let schema = match arguments.subject {
        Subject::Config => of_file::<Config>("config", "Configuration of gaitd"),
        Subject::Manifest => of_file::<Manifest>("manifest", "Manifest of a model of gaitd"),
        Subject::Scenario => of_file::<Scenario>("scenario", "Scenario of gaitd simulate"),
        Subject::Recording => of_file::<RecordingInfo>("recording", "Recording of gaitd"),
        Subject::Decision => of_answer::<DecisionLine>("decision", "Decision of gaitd"),
        #[cfg(feature = "http")]
        Subject::Openapi => {
            return super::print_json(&serde_json::from_str::<serde_json::Value>(gaitd_daemon::http::document())?);
        }
    };
    super::print_json(&schema)
}
