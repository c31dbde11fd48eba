//! One file or several, as a configuration names them.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use gaitd_sense::MOST_PARTS;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path, or a list of paths; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths(Vec<PathBuf>);

impl Paths {
    /// These, unless there is none.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Option<Self> {
        if paths.is_empty() { None } else { Some(Self(paths)) }
    }

    /// All of them, in their order.
    #[must_use]
    pub fn all(&self) -> &[PathBuf] {
        &self.0
    }

    /// The only one, where there are no others.
    #[must_use]
    pub fn only(&self) -> Option<&Path> {
        if let [path] = self.0.as_slice() { Some(path) } else { None }
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.0.iter_mut()
    }
}

impl From<PathBuf> for Paths {
    fn from(path: PathBuf) -> Self {
        Self(vec![path])
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|path| path.display().to_string()).collect();
        out.write_str(&names.join(", "))
    }
}

impl Serialize for Paths {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.only() {
            Some(path) => path.serialize(to),
            None => self.0.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Paths;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a path or a list of paths")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Paths, E> {
                Ok(PathBuf::from(path).into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Paths, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element()? {
                    paths.push(path);
                }
                Paths::new(paths).ok_or_else(|| A::Error::invalid_length(0, &"at least one path"))
            }
        }

        from.deserialize_any(OneOrMore)
    }
}

impl JsonSchema for Paths {
    fn schema_name() -> Cow<'static, str> {
        "Paths".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A path, or a list of paths.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_PARTS}],
        })
    }
}
