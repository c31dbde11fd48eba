//! The daemon's answers in words and tables. All texts in them are escaped already (see [`super::read`]).

use std::fmt::Display;

use gaitd_api::{
    CascadeCounts, CascadeView, Explanation, FaultView, HeadView, ListenerState, LocalTime, Misses, OutputState,
    OutputView, Reloaded, SecondView, SettingsView, SourceState, SourceView, Status, Timings, Today,
};
use gaitd_core::control::{Estimate, Load, Objective, PolicySpec};
use gaitd_core::engine::ControlConfig;
use gaitd_core::words::counted;

use super::super::log::deceives;
use super::super::table::{percent, table};

/// Names stand in a column of this width.
const NAMES: usize = 11;

/// How a state of a newer daemon is called.
const UNKNOWN: &str = "in a state that this gaitd does not know";

/// How the daemon is: what an operator asks first comes first.
pub(super) fn status(status: &Status) -> String {
    let Status { windows, misses, model, memory, reloads, .. } = status;
    let mut lines = vec![
        (
            "gaitd",
            format!("{}, process {}, run {}, for {}", status.version, status.pid, status.run, span(status.uptime_s)),
        ),
        ("state", state(status)),
        ("source", source(&status.source)),
        ("samples", samples(&status.source)),
        (
            "windows",
            format!(
                "{} of {} decided, {} published; {} overtaken, {} held back, {} failed, {} lost",
                windows.decided,
                windows.produced,
                windows.published,
                windows.dropped,
                windows.held,
                windows.failed,
                windows.lost
            ),
        ),
        (
            "late",
            format!(
                "{}; {}",
                misses.map_or_else(
                    || "not timed".to_owned(),
                    |Misses { count, rate }| format!(
                        "{count} ({} %), {} allowed",
                        percent(rate),
                        allowed(status.settings.control.miss_target)
                    )
                ),
                counted(status.switches, "change of plan", "changes of plan")
            ),
        ),
    ];
    let CascadeCounts { not_needed, answered, no_time, failed } = status.cascades;
    if not_needed + answered + no_time + failed > 0 {
        lines.push((
            "cascades",
            format!(
                "{not_needed} answered by the small one, {answered} by the large one, {no_time} without the time for it, {failed} failed"
            ),
        ));
    }
    lines.push(("today", today(&status.today)));
    for fault in &status.source.implausible {
        let FaultView { sensor, fault, present, seconds, explanation, .. } = fault;
        let now = if *present { "now" } else { "no longer" };
        lines.push((
            "implausible",
            format!("{sensor}: {} {now}, {} in all; {explanation}", fault.name(), span(*seconds)),
        ));
    }
    lines.extend(demanded(&status.settings));
    let configurations = counted(model.configurations as u64, "configuration", "configurations");
    lines.push(("ladder", format!("{}, {configurations}, {} ({:.12})", model.name, model.origin, model.hash)));
    lines.push(("slowdown", load(status.slowdown, &status.signals)));
    let resident = memory.resident_bytes.map_or_else(|| "unknown".to_owned(), megabytes);
    lines.push(("memory", format!("{resident}; the ladder has {}", megabytes(memory.ladder_bytes))));
    if status.outputs.is_empty() {
        lines.push(("output", "none".to_owned()));
    }
    for output in &status.outputs {
        let state = with_detail(output_state(output.state), output.detail.as_deref());
        let OutputView { name, published, lost, .. } = output;
        lines.push(("output", format!("{name} ({state}): {published} published, {lost} lost")));
    }
    let mut outcome = format!("{} done, {} refused", reloads.done, reloads.refused);
    if let Some(last) = &reloads.last {
        outcome += &format!("; the latest {} ago: {}", span(status.uptime_s - last.at_s), last.message);
    }
    lines.push(("reloads", outcome));
    let subscribers = counted(status.subscribers as u64, "subscriber", "subscribers");
    for listener in &status.listeners {
        let state = with_detail(listening(listener.state), listener.detail.as_deref());
        lines.push(("interface", format!("{} ({state})", listener.address)));
    }
    lines.push(("events", subscribers));
    aligned(lines)
}

/// How long each activity was, the longest first.
fn today(today: &Today) -> String {
    let Some(midnight) = today.midnight else { return "not known: decisions have no time of day".to_owned() };
    let mut activities: Vec<_> = today.activities.iter().filter(|one| one.minutes > 0.0).collect();
    activities.sort_by(|one, other| other.minutes.total_cmp(&one.minutes));
    let activities = activities.iter().map(|one| format!("{} {}", one.activity, span(one.minutes * 60.0)));
    // a recording tells of another day
    let day = match LocalTime::now() {
        Some(now) if now.day() == midnight.day() => String::new(),
        _ => format!("on {:.10}: ", midnight.to_string()),
    };
    format!("{day}{}", activities.collect::<Vec<_>>().join(", "))
}

/// What is demanded from the next window on.
pub(super) fn settings(settings: &SettingsView) -> String {
    aligned(demanded(settings))
}

/// The result of a reload.
pub(super) fn reloaded(reloaded: &Reloaded) -> String {
    let Reloaded { changed, not_reloaded, ended } = reloaded;
    let mut text = String::new();
    if changed.is_empty() {
        text += "reloaded; the configuration is the same as before\n";
    } else {
        text += &format!("reloaded: {}\n", changed.join(", "));
    }
    if !not_reloaded.is_empty() {
        text += &format!("not reloaded, for it needs a restart: {}\n", not_reloaded.join(", "));
    }
    if !ended.is_empty() {
        text += &format!("as configured again, and no longer as set meanwhile: {}\n", ended.join(", "));
    }
    text
}

/// Why the latest configuration was picked.
pub(super) fn explanation(explanation: &Explanation) -> String {
    let Explanation {
        window,
        configuration,
        reason: _,
        why,
        budget_ms,
        available_ms,
        late_elsewhere,
        timings_ms,
        publish_ms,
        slowdown,
        signals,
        head,
        cascade,
        configurations,
        cascades,
    } = explanation;
    let elsewhere = match percent(*late_elsewhere) {
        share if *late_elsewhere > 0.0 => format!(" (none, with a probability of {share} %, for what comes beside it)"),
        _ => String::new(),
    };
    let header = ["  configuration", "MMACs", "predicted ms", "too late %", "expected accuracy %", "CPU ms"];
    let rows = configurations.iter().chain(cascades).map(|candidate| {
        let mark = if candidate.picked { "*" } else { " " };
        vec![
            format!("{mark} {}", candidate.id),
            format!("{:.2}", candidate.macs as f64 / 1e6),
            format!("{:.3}", candidate.predicted_ms),
            candidate.miss_probability.map_or_else(|| "-".to_owned(), percent),
            candidate.expected_accuracy.map_or_else(|| "-".to_owned(), percent),
            format!("{:.3}", candidate.cost_ms),
        ]
    });
    format!(
        "window {window}: {configuration}, {why}\n\
         {} of {} ms were left for the inference{elsewhere}; slowdown {}\n\
         {}{}{}\n{}",
        milliseconds(*available_ms),
        milliseconds(*budget_ms),
        load(*slowdown, signals),
        head.as_ref().map(began).unwrap_or_default(),
        cascade.as_ref().map(escalated).unwrap_or_default(),
        spent(timings_ms, *publish_ms, *budget_ms),
        table(&header, rows),
    )
}

/// What was done before the window's last sample.
fn began(head: &HeadView<'_>) -> String {
    let HeadView { lead_ms, infer_ms, late_ms, insured, given_up, signals: _ } = head;
    let late = if *late_ms > 0.0 { format!(", {late_ms:.2} of them too late") } else { String::new() };
    let instead = match given_up {
        Some(id) => format!("; that of {id} was given up for being late"),
        None if *insured => "; that of the smallest configuration was done first, in case it was late".to_owned(),
        None => String::new(),
    };
    format!("it began {lead_ms:.1} ms before the last sample, with a head of {infer_ms:.2} ms{late}{instead}\n")
}

/// What became of the second inference of a cascade.
fn escalated(cascade: &CascadeView<'_>) -> String {
    let CascadeView { small, large, threshold, sure, second, second_ms } = cascade;
    let (sure, threshold) = (percent(f64::from(*sure)), percent(f64::from(*threshold)));
    let belief = format!("after {small} the belief was {sure} % sure");
    match second {
        SecondView::NotNeeded => format!("{belief}, of {threshold} needed: {large} was not asked\n"),
        SecondView::NoTime => format!("{belief}, of {threshold} needed, and there was no time left for {large}\n"),
        SecondView::Failed => format!("{belief}, of {threshold} needed, and the inference of {large} failed\n"),
        SecondView::Answered => {
            let ms = second_ms.unwrap_or_default();
            format!("{belief}, of {threshold} needed: {large} answered instead, in {ms:.2} ms\n")
        }
    }
}

/// Where the time went, and what took most of it where the decision was late.
fn spent(timings: &Timings, publish_ms: Option<f64>, budget_ms: f64) -> String {
    let Timings { condition, wait, prepare, infer, cpu: _ } = *timings;
    let phases = [
        ("conditioning", condition),
        ("waiting", wait),
        ("picking", prepare),
        ("inference", infer),
        ("publishing", publish_ms.unwrap_or_default()),
    ];
    let known = if publish_ms.is_some() { &phases[..] } else { &phases[..4] };
    let parts: Vec<String> = known.iter().map(|(name, ms)| format!("{name} {ms:.2}")).collect();
    let total: f64 = known.iter().map(|(_, ms)| ms).sum();
    let mut text = format!("it took {total:.2} ms: {}", parts.join(", "));
    if publish_ms.is_none() {
        text += ", not published yet";
    }
    let longest = known.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((name, _)) = longest.filter(|_| total > budget_ms) {
        text += &format!("; late, most of it by {name}");
    }
    text
}

/// The answer as it came, if it is JSON. Characters that could steer a terminal are written as JSON's own escapes, and
/// so mean the same to a program.
///
/// # Errors
/// When it is not JSON.
pub(super) fn json(body: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| error.to_string())?;
    let mut printed = String::with_capacity(text.len() + 1);
    for character in text.trim_end().chars() {
        match character {
            // outside of strings, where they are spaces
            '\n' | '\t' => printed.push(character),
            '\r' => printed.push(' '),
            // inside of one; all of them lie in the basic plane
            _ if deceives(character) => printed += &format!("\\u{:04x}", u32::from(character)),
            _ => printed.push(character),
        }
    }
    printed.push('\n');
    Ok(printed)
}

fn aligned(lines: Vec<(&str, String)>) -> String {
    lines.into_iter().map(|(name, text)| format!("{name:<NAMES$}{text}\n")).collect()
}

fn state(status: &Status) -> String {
    let alive = match (&status.alive.alive, &status.alive.reason) {
        (true, _) => "alive".to_owned(),
        (false, Some(reason)) => format!("NOT ALIVE: {reason}"),
        (false, None) => "NOT ALIVE".to_owned(),
    };
    if status.ready.ready {
        format!("{alive}, ready")
    } else if status.ready.reasons.is_empty() {
        format!("{alive}, NOT READY")
    } else {
        format!("{alive}, NOT READY: {}", status.ready.reasons.join(", "))
    }
}

fn source(source: &SourceView) -> String {
    let mut text = format!("{}: {}", source.name, with_detail(sensing(source.state), source.detail.as_deref()));
    if let Some(age) = source.last_sample_age_s {
        text += &format!(", latest sample {age:.2} s ago");
    }
    if source.failures > 0 {
        text += &format!(", {}", counted(source.failures, "failure", "failures"));
    }
    text
}

/// The good samples, and each kind of trouble that there was.
fn samples(source: &SourceView) -> String {
    let samples = &source.samples;
    let mut text = samples.samples.to_string();
    if let Some(hz) = source.rate_hz {
        text += &format!(" ({hz:.2} a second)");
    }
    for (count, one, many) in [
        (samples.bridged, "bridged", "bridged"),
        (samples.malformed, "malformed", "malformed"),
        (samples.non_finite, "not finite or beyond 1e6", "not finite or beyond 1e6"),
        (samples.out_of_order, "out of order", "out of order"),
        (samples.astray, "astray", "astray"),
        (samples.moved, "moved", "moved"),
        (samples.resampled, "resampled", "resampled"),
        (samples.gaps, "gap", "gaps"),
        (samples.resets.saturating_sub(samples.gaps), "time the clock was set back", "times the clock was set back"),
    ] {
        if count > 0 {
            text += &format!(", {}", counted(count, one, many));
        }
    }
    if source.delay_s > 0.0 {
        text += &format!("; on the grid {:.0} ms later", source.delay_s * 1e3);
    }
    text
}

fn demanded(settings: &SettingsView) -> Vec<(&'static str, String)> {
    let SettingsView { control, pin } = settings;
    let ControlConfig { budget_ms, miss_target, policy, objective, cpu_budget_percent, activity_aware, context, lag } =
        control;
    let budget = format!("{} ms, {} of the decisions may be late", milliseconds(*budget_ms), allowed(*miss_target));
    let mut picking = policy.name().to_owned();
    if let PolicySpec::Fixed { configuration: Some(configuration) } = policy {
        picking += &format!(" ({configuration})");
    }
    picking += &format!(", for {}", objective.name());
    if let Objective::Energy { accuracy_floor } = objective {
        picking += &format!(" with an accuracy of {} % or more", number(accuracy_floor * 100.0));
    }
    if let Some(percent) = cpu_budget_percent {
        picking += &format!(", within {} % of a processor", number(*percent));
    }
    if !activity_aware {
        picking += ", blind to the activity";
    }
    let pin = pin.clone().unwrap_or_else(|| "none".to_owned());
    let context = match (context, lag) {
        (true, 0) => "on".to_owned(),
        (true, lag) => format!("on, each window told of again {} later", counted(*lag as u64, "window", "windows")),
        (false, _) => "off: each window by itself".to_owned(),
    };
    vec![("budget", budget), ("policy", picking), ("pin", pin), ("context", context)]
}

/// The slowdown and the signals behind it.
fn load(slowdown: Option<Estimate>, signals: &Load) -> String {
    let mut text = slowdown.map_or_else(
        || "not estimated".to_owned(),
        |estimate| format!("{:.2} +- {:.2}", estimate.mean, estimate.spread),
    );
    for (name, share) in [("CPU", signals.cpu), ("pressure", signals.pressure), ("frequency", signals.frequency)] {
        if let Some(share) = share {
            text += &format!(", {name} {:.0} %", share * 100.0);
        }
    }
    if let Some(temperature) = signals.temperature_c {
        text += &format!(", {temperature:.0} degrees C");
    }
    text
}

fn sensing(state: SourceState) -> &'static str {
    match state {
        SourceState::Waiting => "waiting",
        SourceState::Streaming => "streaming",
        SourceState::Silent => "silent",
        SourceState::Retrying => "retrying",
        SourceState::Ended => "ended",
        SourceState::Unknown => UNKNOWN,
    }
}

fn output_state(state: OutputState) -> &'static str {
    match state {
        OutputState::Writing => "writing",
        OutputState::Failing => "failing",
        OutputState::Closed => "closed",
        OutputState::Unknown => UNKNOWN,
    }
}

fn listening(state: ListenerState) -> &'static str {
    match state {
        ListenerState::Listening => "listening",
        ListenerState::Retrying => "retrying",
        ListenerState::Unknown => UNKNOWN,
    }
}

fn with_detail(state: &str, detail: Option<&str>) -> String {
    detail.map_or_else(|| state.to_owned(), |detail| format!("{state}: {detail}"))
}

fn allowed(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

/// With as many decimals as it takes, two at most.
fn number(value: f64) -> impl Display {
    (value * 100.0).round() / 100.0
}

/// With as many decimals as it takes, three at most, or all of them where it would be nothing.
fn milliseconds(value: f64) -> impl Display {
    let rounded = (value * 1e3).round() / 1e3;
    if rounded == 0.0 { value } else { rounded }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A length of time in its two largest units.
fn span(seconds: f64) -> String {
    // saturates
    let seconds = seconds.max(0.0) as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_two_units() {
        for (seconds, expected) in [
            (0.9, "0 s"),
            (59.0, "59 s"),
            (61.0, "1 min 1 s"),
            (7380.0, "2 h 3 min"),
            (90_000.0, "1 d 1 h"),
            (-1.0, "0 s"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn json_keeps_its_meaning_and_nothing_steers_the_terminal() {
        let value = serde_json::json!({"a": "\u{1b}[2J\u{9b}31m\u{202e}x", "b": [1.5, null]});
        let pretty = serde_json::to_string_pretty(&value).unwrap().replace('\n', "\r\n");
        let printed = json(pretty.as_bytes()).unwrap();
        assert!(!printed.chars().any(|character| character != '\n' && deceives(character)), "{printed:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
        assert!(json(b"\x1b[2J").is_err());
        assert!(json(b"\xff").is_err());
    }
}
