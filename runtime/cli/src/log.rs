//! How log records reach standard error: for people, for the journal or for a collector of JSON lines.
//!
//! Messages quote what comes from outside: sensor lines, requests, file names. Whatever would end a line, or write over
//! one on a terminal, is escaped, so that no input can forge a record.

use std::borrow::Cow;
use std::io::Write;
use std::os::fd::AsFd;

use env_logger::{Builder, Env, Logger, WriteStyle};
use log::{Level, LevelFilter, Log, Metadata, Record};
use serde::Serialize;

/// The longest message that is written, in bytes. The journal cuts lines at 48 KiB and reads the rest as a line of its
/// own, with whatever priority it claims to have.
const LONGEST_MESSAGE: usize = 8 << 10;

/// How log records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// As journal where standard error goes to the journal, else as text
    #[default]
    Auto,
    /// With time and level, for people
    Text,
    /// One JSON object per line
    Json,
    /// With syslog priorities and no time, for the journal of systemd
    Journal,
}

impl LogFormat {
    /// Sets up logging for the rest of the process, filtered by `filter`, unless GAITD_LOG is set. Panics are logged in
    /// the same form. Returns what writes the error that ends the process.
    pub(super) fn start(self, filter: &str) -> LastWord {
        let format = match self {
            Self::Auto if stderr_is_journal() => Self::Journal,
            Self::Auto => Self::Text,
            chosen => chosen,
        };
        let logger = format.logger(Builder::from_env(Env::new().filter_or("GAITD_LOG", filter)));
        let level = logger.filter();
        // an earlier logger of this process would have been set up here, too
        if log::set_boxed_logger(Box::new(Escaping { logger, format })).is_ok() {
            log::set_max_level(level);
        }
        let last_word = LastWord(format);
        if format != Self::Text {
            std::panic::set_hook(Box::new(move |panic| last_word.write(&panic.to_string())));
        }
        last_word
    }

    fn logger(self, mut builder: Builder) -> Logger {
        match self {
            Self::Auto | Self::Text => builder.format_target(false),
            Self::Json => builder.write_style(WriteStyle::Never).format(|buffer, record| {
                let thread = std::thread::current();
                let line = Line {
                    class: "log",
                    time: buffer.timestamp_millis().to_string(),
                    level: record.level().as_str().to_ascii_lowercase(),
                    thread: thread.name(),
                    message: record.args().to_string(),
                };
                writeln!(buffer, "{}", plain_json(&serde_json::to_string(&line)?))
            }),
            Self::Journal => builder
                .write_style(WriteStyle::Never)
                .format(|buffer, record| writeln!(buffer, "<{}>{}", priority(record.level()), record.args())),
        }
        .build()
    }
}

/// One record as JSON.
#[derive(Serialize)]
struct Line<'a> {
    class: &'static str,
    /// RFC 3339, UTC.
    time: String,
    level: String,
    thread: Option<&'a str>,
    message: String,
}

/// The priority of syslog(3) that `level` has.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Whether standard error is a stream to the journal: systemd names its device and inode, so that a redirected one is
/// not taken for it.
fn stderr_is_journal() -> bool {
    let Ok(journal) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(std::io::stderr().as_fd()).is_ok_and(|file| journal == format!("{}:{}", file.st_dev, file.st_ino))
}

/// Escapes each message before the logger behind it writes it.
struct Escaping {
    logger: Logger,
    format: LogFormat,
}

impl Log for Escaping {
    fn enabled(&self, metadata: &Metadata) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record) {
        // before the message is made
        if !self.logger.matches(record) {
            return;
        }
        let message = record.args().to_string();
        let message = shortened(&message);
        let message = match self.format {
            // has escapes of its own, which a reader undoes
            LogFormat::Json => message,
            _ => Cow::Owned(escaped(&message)),
        };
        self.logger.log(&Record::builder().metadata(record.metadata().clone()).args(format_args!("{message}")).build());
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

/// Writes what ends the process, in the form of the log, whatever the log's levels are.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastWord(LogFormat);

impl LastWord {
    /// Writes `message`; its lines stay lines where people read them.
    pub(super) fn write(self, message: &str) {
        let message = shortened(message);
        if self.0 == LogFormat::Text {
            tell(&format!("gaitd: {}", indented(&message)));
            return;
        }
        let logger = self.0.logger({
            let mut builder = Builder::new();
            builder.filter_level(LevelFilter::Error);
            builder
        });
        let write = |line: &str| {
            logger.log(&Record::builder().level(Level::Error).args(format_args!("{line}")).build());
        };
        if self.0 == LogFormat::Json {
            write(&message);
        } else {
            indented(&message).lines().for_each(write);
        }
    }
}

/// Writes `text` as a line to standard error; where that is closed or full, nobody reads it, and nothing else hangs on it.
pub(super) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// `message`, or its beginning and how much is missing.
fn shortened(message: &str) -> Cow<'_, str> {
    if message.len() <= LONGEST_MESSAGE {
        return Cow::Borrowed(message);
    }
    let start = &message[..message.floor_char_boundary(LONGEST_MESSAGE)];
    Cow::Owned(format!("{start} ... ({} more bytes)", message.len() - start.len()))
}

/// `message` with each line but the first indented, so that none can be taken for a record, and all else escaped.
fn indented(message: &str) -> String {
    message.split('\n').map(escaped).collect::<Vec<_>>().join("\n       ")
}

/// `message` in one line that looks like what it holds.
pub(super) fn escaped(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for character in message.chars() {
        if deceives(character) {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// `json` without the characters that JSON allows in strings, but that some readers take for the end of a line.
fn plain_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if deceives(character) {
            // all of them lie in the basic plane
            text += &format!("\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text
}

/// Control characters, line separators, and what changes the direction of the text around it.
pub(super) fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set in the child process that panics.
    const ROLE: &str = "GAITD_TEST_PANIC";

    #[test]
    fn a_panic_is_a_record_like_any_other() {
        if let Ok(role) = std::env::var(ROLE) {
            let format = if role == "json" { LogFormat::Json } else { LogFormat::Journal };
            let _ = format.start("off");
            let _ = std::thread::Builder::new().name("victim".into()).spawn(|| panic!("two\nlines")).unwrap().join();
            return;
        }
        let stderr_of = |format: &str| {
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture", "log::tests::a_panic_is_a_record_like_any_other"])
                .env(ROLE, format)
                .output()
                .unwrap();
            String::from_utf8(output.stderr).unwrap()
        };
        let text = stderr_of("json");
        let record: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!((&record["level"], &record["thread"]), (&"error".into(), &"victim".into()));
        assert!(record["message"].as_str().unwrap().ends_with("two\nlines"), "{text}");
        let text = stderr_of("journal");
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.starts_with("<3>")), "{text}");
    }

    #[test]
    fn no_character_that_ends_a_line_is_left() {
        let all: String = ('\0'..=char::MAX).collect();
        assert!(!escaped(&all).contains(deceives));
        let json = serde_json::to_string(&all).unwrap();
        assert!(!plain_json(&json).contains(deceives));
        assert_eq!(serde_json::from_str::<String>(&plain_json(&json)).unwrap(), all);
    }
}
