//! `gaitd schema`: the forms of what gaitd reads and writes, for editors and programs.

use gaitd_schemas::Subject as Form;

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
    let form = match arguments.subject {
        Subject::Config => Form::Config,
        Subject::Manifest => Form::Manifest,
        Subject::Scenario => Form::Scenario,
        Subject::Recording => Form::Recording,
        Subject::Decision => Form::Decision,
        #[cfg(feature = "http")]
        Subject::Openapi => Form::OpenApi,
    };
    super::print(&form.text())
}
