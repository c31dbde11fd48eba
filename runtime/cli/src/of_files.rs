//! Flags that state something of channels, or of one file among several.

use std::path::Path;

use gaitd_core::stream::Channel;

/// Channels out of a text such as `acc_x:g,acc_y:g`.
pub(super) fn channels(text: &str) -> Result<Vec<Channel>, String> {
    let channel = |pair: &str| {
        let (name, unit) = pair.rsplit_once(':').map(|(name, unit)| (name.trim(), unit.trim())).unwrap_or_default();
        if name.is_empty() || unit.is_empty() {
            return Err(format!("--channels: `{pair:.40}` is no channel with its unit; write acc_x:g,acc_y:g"));
        }
        Ok(Channel { name: name.to_owned(), unit: unit.to_owned() })
    };
    let channels: Vec<Channel> = text.split(',').map(channel).collect::<Result<_, _>>()?;
    let twice =
        channels.iter().enumerate().find(|(place, one)| channels[..*place].iter().any(|it| it.name == one.name));
    twice.map_or(Ok(channels.clone()), |(_, twice)| Err(format!("--channels: `{:.40}` is there twice", twice.name)))
}

/// What `flag` states of all files, `VALUE`, and of each, `FILE=VALUE`.
pub(super) fn of_files(
    stated: &[String],
    files: &[&Path],
    flag: &str,
) -> Result<(Option<String>, Vec<Option<String>>), String> {
    let mut of_all = None;
    let mut of_each = vec![None; files.len()];
    for text in stated {
        let Some((file, value)) = text.rsplit_once('=') else {
            of_all = Some(text.clone());
            continue;
        };
        let is = |path: &Path| path == Path::new(file) || path.file_name().is_some_and(|name| name == file);
        let places: Vec<_> = (0..files.len()).filter(|&place| is(files[place])).collect();
        if places.is_empty() || value.is_empty() {
            return Err(format!("{flag}: `{text:.80}` is neither a value, nor FILE=value of one of the files"));
        }
        places.into_iter().for_each(|place| of_each[place] = Some(value.to_owned()));
    }
    Ok((of_all, of_each))
}
