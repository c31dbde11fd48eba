//! A look at several texts that were recorded together, each with some of the sensors.

use std::path::{Path, PathBuf};

use gaitd_core::stream::{Channel, StreamFormat};

use super::{Known, Survey, USUAL_HZ};
use crate::wanted::Wanted;
use crate::{SenseError, TextLayout};

/// What a text has of a sensor.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The places of the sensor's channels among those that were looked for.
    pub(crate) channels: Vec<usize>,
    /// What was seen of them alone.
    pub(crate) survey: Survey,
}

impl Seen {
    /// The sensors among `channels` that the text at `path` has: all channels of each, and values of them.
    ///
    /// # Errors
    /// When the text cannot be opened or read, or has no sensor of these.
    pub(crate) fn look(path: &Path, channels: &[Channel], known: &Known) -> Result<Vec<Self>, SenseError> {
        let format = StreamFormat { channels: channels.to_vec(), rate_hz: USUAL_HZ };
        let (mut seen, mut refused) = (Vec::new(), None);
        for places in Wanted::new(&format).sensors() {
            let own: Vec<Channel> = places.iter().map(|&place| channels[place].clone()).collect();
            match Survey::of(path, &own, known) {
                Ok(survey) if survey.absent.len() < own.len() => seen.push(Self { channels: places.clone(), survey }),
                Ok(survey) => refused = refused.or_else(|| Some(empty(path, &own, &survey))),
                // lines of JSON without any of these are none that can be used
                Err(error @ (SenseError::MissingChannels { .. } | SenseError::NotSamples { .. })) => {
                    refused = refused.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        match refused {
            Some(error) if seen.is_empty() => Err(error),
            _ => Ok(seen),
        }
    }

    /// What is seen in several texts, of `count` channels in all, as a look at one.
    pub(crate) fn together(texts: &[Vec<Self>], count: usize) -> Survey {
        let mut layout = TextLayout { channels: vec![None; count], ..TextLayout::default() };
        let (mut forms, mut absent, mut at_rest) = (Vec::new(), Vec::new(), None);
        for seen in texts {
            for Self { channels, survey } in seen {
                for (&place, column) in channels.iter().zip(&survey.layout.channels) {
                    layout.channels[place].clone_from(column);
                }
                absent.extend(survey.absent.iter().map(|&own| channels[own]));
                at_rest = at_rest.or(survey.at_rest);
                layout.label = layout.label.or_else(|| survey.layout.label.clone());
                layout.subject = layout.subject.or_else(|| survey.layout.subject.clone());
                if !forms.contains(&survey.layout.form) {
                    forms.push(survey.layout.form.clone());
                }
            }
            // what is used for no sensor
            let unused = |column: &&String| seen.iter().all(|it| it.survey.layout.unused.contains(column));
            let first = seen.first().map_or(&[][..], |first| &first.survey.layout.unused);
            layout.unused.extend(first.iter().filter(unused).cloned());
        }
        layout.form = forms.join("; ");
        absent.sort_unstable();
        // the first channel's sensor gives the times
        let clock = texts.iter().flatten().find(|seen| seen.channels.contains(&0)).map(|seen| &seen.survey);
        layout.time = clock.and_then(|clock| clock.layout.time.clone());
        layout.likely_time = clock.and_then(|clock| clock.layout.likely_time.clone());
        Survey {
            declared_hz: clock.and_then(|clock| clock.declared_hz),
            rate_hz: clock.and_then(|clock| clock.rate_hz),
            rows: clock.map_or(0, |clock| clock.rows),
            at_rest,
            layout,
            absent,
        }
    }

    /// Refuses a sensor that two texts have, of `channels` in all.
    pub(crate) fn check_once(texts: &[(&Path, &[Self])], channels: &[Channel]) -> Result<(), SenseError> {
        for (number, (path, seen)) in texts.iter().enumerate() {
            for sensor in *seen {
                let has = |(_, others): &&(&Path, &[Self])| others.iter().any(|it| it.channels == sensor.channels);
                let Some((other, _)) = texts[..number].iter().find(has) else { continue };
                let names: Vec<_> = sensor.channels.iter().map(|&place| channels[place].name.as_str()).collect();
                let problem = format!(
                    "both {} and {} have {}; leave it out in one of them",
                    other.display(),
                    path.display(),
                    names.join(", ")
                );
                return Err(SenseError::Apart { names: self::names(texts.iter().map(|(path, _)| *path)), problem });
            }
        }
        Ok(())
    }
}

/// The error of texts that lack those of `channels` of which none of them has a column.
pub(crate) fn missing<'a>(
    paths: impl Iterator<Item = &'a Path>,
    channels: &[Channel],
    texts: &[Vec<Seen>],
) -> Option<SenseError> {
    let seen = || texts.iter().flatten();
    let has = |place: usize| seen().any(|seen| seen.channels.contains(&place));
    let missing: Vec<_> =
        (0..channels.len()).filter(|&place| !has(place)).map(|place| &*channels[place].name).collect();
    let columns = seen().flat_map(|seen| seen.survey.layout.channels.iter().flatten());
    let columns: Vec<_> = columns.map(|column| column.column.as_str()).collect();
    (!missing.is_empty()).then(|| SenseError::MissingChannels {
        place: names(paths),
        missing: missing.join(", "),
        found: columns.join(", "),
        near: String::new(),
    })
}

/// The paths, for people.
pub(crate) fn names<'a>(paths: impl Iterator<Item = &'a Path>) -> String {
    paths.map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The error of a text whose columns of some of `channels` are empty.
pub(crate) fn empty(path: &Path, channels: &[Channel], survey: &Survey) -> SenseError {
    let names: Vec<_> = survey.absent.iter().map(|&index| channels[index].name.as_str()).collect();
    let columns: Vec<_> = survey.layout.channels.iter().flatten().map(|column| column.column.as_str()).collect();
    SenseError::MissingChannels {
        place: path.display().to_string(),
        missing: names.join(", "),
        found: columns.join(", "),
        near: "their columns are empty throughout; ".to_owned(),
    }
}

impl Survey {
    /// Looks at the texts at `paths`, which are to be put together: each has some of the sensors of `channels`, and none
    /// of them is in two.
    ///
    /// # Errors
    /// When a text cannot be opened or read, has none of the sensors, or one that another has; or when they lack channels.
    pub fn of_several(paths: &[PathBuf], channels: &[Channel], known: &Known) -> Result<Self, SenseError> {
        if let [path] = paths {
            return Self::of(path, channels, known);
        }
        let texts: Vec<_> = paths.iter().map(|path| Seen::look(path, channels, known)).collect::<Result<_, _>>()?;
        let each = paths.iter().map(PathBuf::as_path).zip(texts.iter().map(Vec::as_slice));
        Seen::check_once(&each.collect::<Vec<_>>(), channels)?;
        match missing(paths.iter().map(PathBuf::as_path), channels, &texts) {
            Some(error) => Err(error),
            None => Ok(Seen::together(&texts, channels.len())),
        }
    }
}
