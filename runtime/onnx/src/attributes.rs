//! A node's attributes, none of which may be left unread: what gaitd does not know might change the result.

use crate::{Attribute, Node, OnnxError};

/// The attributes of one node that have not been read yet.
pub struct Attributes<'a>(Vec<&'a Attribute>);

impl<'a> Attributes<'a> {
    /// Those of `node`.
    #[must_use]
    pub fn of(node: &'a Node) -> Self {
        Self(node.attributes.iter().collect())
    }

    fn take(&mut self, name: &str) -> Option<&'a Attribute> {
        let index = self.0.iter().position(|attribute| attribute.name == name)?;
        Some(self.0.swap_remove(index))
    }

    /// A number, if it is given.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        self.take(name).map(|attribute| attribute.integer)
    }

    /// Whether a flag is set.
    pub fn flag(&mut self, name: &str) -> bool {
        self.integer(name).is_some_and(|flag| flag != 0)
    }

    /// Lengths along the axes, if they are given.
    ///
    /// # Errors
    /// When one is negative.
    pub fn lengths(&mut self, name: &str) -> Result<Option<Vec<usize>>, OnnxError> {
        let lengths = self.take(name).map(|attribute| attribute.integers.iter().map(|&n| usize::try_from(n)).collect());
        lengths.transpose().map_err(|_| OnnxError(format!("{name} has a negative length")))
    }

    /// Reads an attribute that must have the value that it has when it is left out.
    ///
    /// # Errors
    /// When it has another one.
    pub fn only(&mut self, name: &str, usual: impl Fn(&Attribute) -> bool) -> Result<(), OnnxError> {
        match self.take(name) {
            Some(attribute) if !usual(attribute) => {
                Err(OnnxError(format!("gaitd has no {name} but what goes without saying")))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// When an attribute has not been read.
    pub fn end(self) -> Result<(), OnnxError> {
        match self.0.first() {
            Some(attribute) => Err(OnnxError(format!("gaitd does not know the attribute {}", attribute.name))),
            None => Ok(()),
        }
    }
}
