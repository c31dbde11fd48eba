//! Means and standard deviations of channels, as whoever trained a network kept them.

use gaitd_core::condition::OpSpec;
use gaitd_core::stream::Channel;

/// Mean and standard deviation of each channel over the training samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Means {
    /// By channel, or in the order of the channels where none is named.
    rows: Vec<(Option<String>, f64, f64)>,
}

impl Means {
    /// Reads a table with a header, `channel,mean,std` or `mean,std`.
    ///
    /// # Errors
    /// When it is no such table; the message says where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let header: Vec<String> =
            lines.next().unwrap_or_default().split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
        let column = |names: &[&str]| header.iter().position(|name| names.contains(&name.as_str()));
        let channel = column(&["channel", "name", "feature"]);
        let (Some(mean), Some(std)) = (column(&["mean"]), column(&["std", "sd", "scale"])) else {
            return Err(format!("its first line is `{:.60}`, and must be `channel,mean,std`", header.join(",")));
        };
        let row = |(number, line): (usize, &str)| {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
            let number_in = |place: usize| cell(place).parse::<f64>().ok().filter(|value| value.is_finite());
            let numbers = number_in(mean).zip(number_in(std).filter(|std| *std > 0.0));
            let (mean, std) = numbers.ok_or_else(|| {
                format!("row {} is `{line:.60}`, and needs a mean and a standard deviation above 0", number + 1)
            })?;
            Ok((channel.map(|place| cell(place).to_owned()), mean, std))
        };
        let rows: Vec<_> = lines.enumerate().map(row).collect::<Result<_, String>>()?;
        Ok(Self { rows })
    }

    /// The operation that standardises `channels`, all of which must be in the table and no others.
    ///
    /// # Errors
    /// When the table has other channels; the message says which.
    pub(crate) fn operation(&self, channels: &[Channel]) -> Result<OpSpec, String> {
        if self.rows.len() != channels.len() {
            return Err(format!("it has {} rows, and there are {} channels", self.rows.len(), channels.len()));
        }
        let of = |(place, channel): (usize, &Channel)| {
            let named = self.rows.iter().find(|(name, ..)| name.as_deref() == Some(channel.name.as_str()));
            let row = named.or_else(|| self.rows.get(place).filter(|(name, ..)| name.is_none()));
            row.map(|&(_, mean, std)| (mean, std)).ok_or_else(|| format!("it has no channel {:?}", channel.name))
        };
        let rows = channels.iter().enumerate().map(of).collect::<Result<Vec<_>, String>>()?;
        let (mean, std) = rows.into_iter().unzip();
        let from = channels.iter().map(|channel| channel.name.clone()).collect();
        Ok(OpSpec::Standardise { from, to: None, mean, std })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(names: &[&str]) -> Vec<Channel> {
        names.iter().map(|name| Channel { name: (*name).to_owned(), unit: "g".to_owned() }).collect()
    }

    #[test]
    fn rows_are_found_by_their_channel_or_by_their_order() {
        let of = |text: &str| match Means::parse(text)?.operation(&channels(&["x", "y"]))? {
            OpSpec::Standardise { mean, std, .. } => Ok::<_, String>((mean, std)),
            other => Err(format!("{other:?}")),
        };
        let expected = (vec![1.0, 2.0], vec![0.5, 4.0]);
        assert_eq!(of("channel,mean,std\ny,2,4\nx,1,0.5\n"), Ok(expected.clone()));
        assert_eq!(of("Mean, Scale\r\n1,0.5\r\n2,4\r\n\r\n"), Ok(expected));
        let wrong = [
            ("", "channel,mean,std"),
            ("a,b\n1,2", "channel,mean,std"),
            ("mean,std\n1,0\n2,1", "row 1"),
            ("mean,std\n1,1\n2,nan", "row 2"),
            ("mean,std\n1,1", "1 rows"),
            ("channel,mean,std\nx,1,1\nz,1,1", "\"y\""),
        ];
        for (text, named) in wrong {
            let error = of(text).unwrap_err();
            assert!(error.contains(named), "{text:?}: {error}");
        }
    }
}
