//! What a row says of its wearer.

/// The activity, and who it is; empty where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) label: String,
    pub(super) subject: String,
}

impl Tags {
    pub(super) fn clear(&mut self) {
        self.label.clear();
        self.subject.clear();
    }

    /// States what `other` does; allocates only where there is no room for that.
    pub(super) fn set(&mut self, other: &Self) {
        self.label.clone_from(&other.label);
        self.subject.clone_from(&other.subject);
    }

    /// The activity, where one is stated.
    pub(super) fn label(&self) -> Option<&str> {
        Some(self.label.as_str()).filter(|label| !label.is_empty())
    }

    /// Whoever wears the sensor, where that is stated.
    pub(super) fn subject(&self) -> Option<&str> {
        Some(self.subject.as_str()).filter(|subject| !subject.is_empty())
    }

    /// Takes from `other` what is not stated here.
    pub(super) fn complete(&mut self, other: &Self) {
        for (tag, other) in [(&mut self.label, &other.label), (&mut self.subject, &other.subject)] {
            if tag.is_empty() {
                tag.push_str(other);
            }
        }
    }
}

/// The columns (keys) that hold the activity and the wearer, where they are not called as they usually are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagColumns {
    /// The activity's.
    pub label: Option<String>,
    /// The wearer's.
    pub subject: Option<String>,
}
