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
}

/// The columns (keys) that hold the activity and the wearer, where they are not called as they usually are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagColumns {
    /// The activity's.
    pub label: Option<String>,
    /// The wearer's.
    pub subject: Option<String>,
}
