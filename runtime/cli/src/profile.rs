//! `gaitd profile`: measures every configuration on this device.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::ladder::{Effort, Profile, ProfileKey, Regime, measure};
use gaitd_core::state_file;
use gaitd_daemon::{Config, cpu_name};

use super::loading::ModelArguments;
use super::table::table;

/// Measure every configuration on this device, hot and paced, and keep the profile for the daemon
#[derive(clap::Args)]
#[command(
    after_help = "hot: one inference straight after the other. paced: one every so often, as the daemon runs them; \
                        on a processor that saves power these can take several times as long, and the daemon uses them.\n\n\
                        head, tail: of an inference that begins before its window is complete, what needs none of the \
                        missing samples, and the rest; both paced.\n\n\
                        Example: gaitd profile --cpu 0"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Hot inferences per configuration
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    hot: u32,
    /// Paced inferences per configuration
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    paced: u32,
    /// From one paced inference to the next, milliseconds
    #[arg(long, default_value_t = 200, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pace_ms: u64,
    /// Measure the two parts of inferences that begin so long before their windows' last samples, too, milliseconds; 0 for none
    /// [default: 80]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    head_ms: Option<f64>,
    /// Measure on this processor
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// Where profiles are kept [default: the state directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Measure only; keep nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the profile as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(id) = arguments.cpu
        && !core_affinity::set_for_current(core_affinity::CoreId { id })
    {
        bail!(gaitd_daemon::ConfigError::OutOfRange(vec![format!("--cpu: there is no processor {id} to use here")]));
    }
    let mut config = Config { state: arguments.state.clone(), ..Config::default() };
    config.head_ms = arguments.head_ms.unwrap_or(config.head_ms);
    config.check()?;
    let state = config.state_directory();
    if !arguments.dry_run {
        state_file::probe(&state).with_context(|| {
            let advice = "name another folder with --state, or measure only, with --dry-run";
            format!("no profile can be kept in {}; {advice}", state.display())
        })?;
    }
    let ladder = arguments.model.load()?;
    let key = ProfileKey::new(&ladder, &cpu_name());
    let effort = Effort {
        hot_windows: arguments.hot as usize,
        paced_windows: arguments.paced as usize,
        pace: Duration::from_millis(arguments.pace_ms),
        missing: config.missing(&ladder.manifest().task),
    };
    let configurations = ladder.configurations().len();
    log::info!("the paced part takes about {:.0} s", effort.paced_time(configurations).as_secs_f64());
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let bar = super::loading::progress(effort.steps(configurations) as u64, "measuring");
    let profile = measure(&ladder, ladder.runner()?.as_mut(), &key, effort, clock.as_ref(), |regime| {
        bar.inc(1);
        if regime == Regime::Paced {
            bar.set_message("measuring, paced");
        }
    })
    .context("the ladder cannot be measured")?;
    bar.finish_and_clear();

    let saved = if arguments.dry_run { None } else { Some(profile.save(&state)?) };
    if arguments.json {
        return super::print_json(&profile);
    }
    super::print(&text(&profile))?;
    saved.map_or(Ok(()), |path| super::print(&format!("kept in {}\n", path.display())))
}

fn text(profile: &Profile) -> String {
    let mut header =
        vec!["configuration", "hot p50 us", "p90 us", "p99 us", "paced p50 us", "p90 us", "p99 us", "paced/hot"];
    if profile.configurations.iter().any(|profiled| profiled.halves.is_some()) {
        header.extend(["head p50 us", "tail p50 us"]);
    }
    let rows = profile.configurations.iter().map(|profiled| {
        let (hot, paced) = (profiled.hot, profiled.paced);
        let mut row = vec![profiled.id.clone()];
        row.extend([hot.p50, hot.p90, hot.p99, paced.p50, paced.p90, paced.p99].map(|us| format!("{us:.0}")));
        row.push(format!("{:.2}", paced.p50 / hot.p50));
        let halves = profiled.halves.as_ref().map(|halves| [halves.head.p50, halves.tail.p50]);
        row.extend(halves.into_iter().flatten().map(|us| format!("{us:.0}")));
        row
    });
    let mut text = format!(
        "{}: {} hot and {} paced inferences per configuration, {} ms apart\n{}",
        profile.cpu,
        profile.hot_windows,
        profile.paced_windows,
        profile.pace_ms,
        table(&header, rows)
    );
    for warning in &profile.warnings {
        text += &format!("warning: {warning}\n");
    }
    text
}
