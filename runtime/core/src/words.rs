//! Numbers in sentences.

/// `count` of something: `1 gap`, `2 gaps`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
