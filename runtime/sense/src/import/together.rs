//! Files that were recorded together, with some of the sensors each: which they are, and what they have between them.

use std::path::Path;

use gaitd_core::stream::Channel;

use super::channels::{self, Channels, Found};
use super::{ImportError, ImportFile};
use crate::survey::{Known, Seen, Survey, empty, missing, names};

/// What is read as one stream: a file, or several that were recorded together.
pub(super) struct Stretch<'a> {
    pub(super) channels: Channels,
    /// What was seen of all channels that are read.
    pub(super) survey: Survey,
    pub(super) pieces: Vec<Piece<'a>>,
}

/// A file of a stretch.
pub(super) struct Piece<'a> {
    pub(super) file: &'a ImportFile,
    /// What was seen of the channels that are read from it; of the others it has no columns.
    pub(super) survey: Survey,
    /// What the caller knows of it, with what was found out.
    pub(super) known: Known,
    /// What had to be decided about it.
    pub(super) notes: Vec<String>,
    /// The rate of its rows, in hertz.
    pub(super) recorded_hz: f64,
}

/// What a file has of the sensors that are looked for.
struct Look {
    seen: Vec<Seen>,
    known: Known,
    note: Option<String>,
}

impl Look {
    fn at(path: &Path, offered: &[Channel], known: &Known, wanted: bool) -> Result<Self, ImportError> {
        let refused = match Seen::look(path, offered, known) {
            Ok(seen) => {
                let (seen, partly): (Vec<_>, Vec<_>) = seen.into_iter().partition(|seen| seen.survey.absent.is_empty());
                match partly.first().filter(|_| seen.is_empty()) {
                    None => return Ok(Self { seen, known: known.clone(), note: None }),
                    Some(Seen { channels, survey }) => {
                        let own: Vec<_> = channels.iter().map(|&place| offered[place].clone()).collect();
                        empty(path, &own, survey)
                    }
                }
            }
            Err(error) => error,
        };
        // what nothing says of which sensor it is
        let found = channels::bare_axes(path, &Channels::acceleration(offered), known, wanted)?;
        let Some(Found { channels, survey, known, mut notes }) = found else { return Err(refused.into()) };
        let place = |channel: &Channel| offered.iter().position(|offered| offered.name == channel.name);
        let channels = channels.read.iter().filter_map(place).collect();
        Ok(Self { seen: vec![Seen { channels, survey }], known, note: Some(notes.swap_remove(0).1) })
    }

    /// Whether it has a sensor that `other` has.
    fn shares(&self, other: &Self) -> bool {
        self.seen.iter().any(|one| other.seen.iter().any(|another| one.channels == another.channels))
    }
}

/// All channels that may be read.
fn offered(candidates: &[Channels]) -> Vec<Channel> {
    let mut all: Vec<Channel> = Vec::new();
    for channel in candidates.iter().flat_map(|channels| &channels.read) {
        if all.iter().all(|known| known.name != channel.name) {
            all.push(channel.clone());
        }
    }
    all
}

fn paths<'a>(files: &'a [&ImportFile]) -> impl Iterator<Item = &'a Path> {
    files.iter().map(|file| file.path.as_path())
}

/// Which of `files` were recorded together, as far as the caller does not say it: a file goes with those before it as
/// long as it has other sensors than they; the first that has one of theirs again begins the next stretch.
pub(super) fn group<'a>(
    files: &'a [Vec<ImportFile>],
    wanted: Option<&[Channel]>,
    known: &Known,
) -> Result<Vec<Vec<&'a ImportFile>>, ImportError> {
    let as_stated = || files.iter().map(|together| together.iter().collect()).collect();
    if files.len() == 1 || files.iter().any(|together| together.len() != 1) {
        return Ok(as_stated());
    }
    let offered = offered(&Channels::candidates(wanted));
    let mut groups: Vec<Vec<(&ImportFile, Look)>> = Vec::new();
    for file in files.iter().flatten() {
        let look = Look::at(&file.path, &offered, known, wanted.is_some())?;
        match groups.last_mut() {
            Some(group) if group.iter().all(|(_, other)| !look.shares(other)) => group.push((file, look)),
            _ => groups.push(vec![(file, look)]),
        }
    }
    if groups.iter().all(|group| group.len() == 1) {
        return Ok(as_stated());
    }
    let sensors = |group: &Vec<(&ImportFile, Look)>| {
        let mut sensors: Vec<_> =
            group.iter().flat_map(|(_, look)| &look.seen).map(|seen| seen.channels.clone()).collect();
        sensors.sort();
        sensors
    };
    let files = |group: &Vec<(&'a ImportFile, Look)>| group.iter().map(|(file, _)| *file).collect::<Vec<_>>();
    if let Some(other) = groups.iter().find(|group| sensors(group) != sensors(&groups[0])) {
        let of = |group| names(paths(&files(group)));
        return Err(ImportError::Unlike { one: of(&groups[0]), other: of(other) });
    }
    Ok(groups.iter().map(files).collect())
}

/// Finds out what of `wanted`, or else of what there usually is, stands in `files`, which were recorded together.
pub(super) fn find<'a>(
    files: &[&'a ImportFile],
    wanted: Option<&[Channel]>,
    known: &Known,
) -> Result<Stretch<'a>, ImportError> {
    if let [file] = files {
        let Found { channels, survey, known, notes } = channels::find(&file.path, wanted, known)?;
        let notes = notes.into_iter().map(|(_, note)| note).collect();
        let piece = Piece { file, survey: survey.clone(), known, notes, recorded_hz: 0.0 };
        return Ok(Stretch { channels, survey, pieces: vec![piece] });
    }
    let candidates = Channels::candidates(wanted);
    let offered = offered(&candidates);
    let look = |file: &&ImportFile| Look::at(&file.path, &offered, known, wanted.is_some());
    let looks: Vec<_> = files.iter().map(look).collect::<Result<_, _>>()?;
    let has = |channel: &Channel| {
        let is = |&place: &usize| offered[place].name == channel.name;
        looks.iter().flat_map(|look| &look.seen).any(|seen| seen.channels.iter().any(is))
    };
    let picked = candidates.iter().find(|channels| channels.read.iter().all(has));
    let channels = picked.unwrap_or(&candidates[0]);
    // what is read of each file, by the places of what is read
    let place = |&offer: &usize| channels.read.iter().position(|channel| channel.name == offered[offer].name);
    let read = |seen: &Seen| {
        let places: Option<Vec<_>> = seen.channels.iter().map(place).collect();
        places.map(|channels| Seen { channels, survey: seen.survey.clone() })
    };
    let texts: Vec<Vec<Seen>> = looks.iter().map(|look| look.seen.iter().filter_map(read).collect()).collect();
    if let Some(error) = missing(paths(files), &channels.read, &texts) {
        return Err(error.into());
    }
    let each: Vec<_> = paths(files).zip(texts.iter().map(Vec::as_slice)).collect();
    Seen::check_once(&each, &channels.read)?;
    if let Some((path, _)) = each.iter().find(|(_, seen)| seen.is_empty()) {
        let recorded: Vec<_> = channels.recorded.iter().map(|channel| channel.name.as_str()).collect();
        return Err(ImportError::NotNeeded { path: path.to_path_buf(), recorded: recorded.join(", ") });
    }
    let survey = Seen::together(&texts, channels.read.len());
    // units are told by gravity
    let at_rest = texts.iter().position(|seen| seen.iter().any(|seen| seen.survey.at_rest.is_some()));
    let path = &files[at_rest.unwrap_or_default()].path;
    let Found { channels, survey, notes, .. } =
        channels::settle(path, channels.clone(), survey, known.clone(), wanted.is_some())?;
    let mut pieces = Vec::new();
    for ((file, look), seen) in files.iter().zip(looks).zip(texts) {
        let others: Vec<_> = files.iter().filter(|other| !std::ptr::eq(**other, *file)).copied().collect();
        let together = format!("put together with {} on one clock", names(paths(&others)));
        let own = |(channel, _): &&channels::Note| {
            let last = channels.parts[*channel].last();
            last.is_some_and(|last| seen.iter().any(|seen| seen.channels.contains(last)))
        };
        let own = notes.iter().filter(own).map(|(_, note)| note.clone());
        let notes = [together].into_iter().chain(look.note).chain(own).collect();
        let survey = piece_survey(seen, channels.read.len());
        pieces.push(Piece { file, survey, known: look.known, notes, recorded_hz: 0.0 });
    }
    Ok(Stretch { channels, survey, pieces })
}

impl Piece<'_> {
    /// Its file's name, without the folder.
    pub(super) fn name(&self) -> std::borrow::Cow<'_, str> {
        self.file.path.file_name().unwrap_or_default().to_string_lossy()
    }
}

/// What was seen of one file, by the channels of all.
fn piece_survey(seen: Vec<Seen>, count: usize) -> Survey {
    let first = seen[0].survey.clone();
    let layout = Seen::together(&[seen], count).layout;
    // the file has times of its own, whichever its sensors are
    Survey { layout: crate::TextLayout { time: first.layout.time.clone(), ..layout }, ..first }
}

impl Stretch<'_> {
    /// The names of its files.
    pub(super) fn names(&self) -> String {
        names(self.paths().into_iter())
    }

    pub(super) fn paths(&self) -> Vec<&Path> {
        self.pieces.iter().map(|piece| piece.file.path.as_path()).collect()
    }

    /// The place of the file whose times are those of the stretch: that with the first channel.
    pub(super) fn clock(&self) -> usize {
        let has = |piece: &Piece<'_>| piece.survey.layout.channels.first().is_some_and(Option::is_some);
        self.pieces.iter().position(has).unwrap_or_default()
    }

    /// What is stated of it, of one of its files or of `all`.
    ///
    /// # Errors
    /// When two things are.
    pub(super) fn stated<'b>(
        &'b self,
        what: &'static str,
        of: impl Fn(&'b ImportFile) -> Option<&'b str>,
        all: Option<&'b str>,
    ) -> Result<Option<&'b str>, ImportError> {
        let mut stated = self.pieces.iter().filter_map(|piece| of(piece.file));
        let Some(one) = stated.next() else { return Ok(all) };
        match stated.find(|other| *other != one) {
            None => Ok(Some(one)),
            Some(other) => {
                Err(ImportError::Two { files: self.names(), what, one: one.to_owned(), other: other.to_owned() })
            }
        }
    }
}
