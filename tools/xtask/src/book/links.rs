//! Whether the links of a folder of HTML pages lead to something that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// What mdBook makes for itself, in which links are from elsewhere.
const FOR_ITSELF: [&str; 2] = ["404.html", "toc.html"];

/// Each link between the pages in `folder` that leads nowhere, with the page it stands in. Links to elsewhere are not
/// followed.
pub(super) fn broken(folder: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    read(folder, Path::new(""), &mut pages)?;
    let names: BTreeMap<_, BTreeSet<&str>> =
        pages.iter().map(|(page, html)| (page.clone(), attributes(html, "id").collect())).collect();
    let mut broken = Vec::new();
    for (page, html) in &pages {
        if FOR_ITSELF.iter().any(|name| page == Path::new(name)) {
            continue;
        }
        for link in attributes(html, "href").chain(attributes(html, "src")) {
            if !leads(folder, page, link, &names) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    Ok(broken)
}

fn leads(folder: &Path, page: &Path, link: &str, names: &BTreeMap<PathBuf, BTreeSet<&str>>) -> bool {
    let elsewhere =
        link.split_once(':').is_some_and(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_lowercase()));
    if elsewhere || link.starts_with("//") {
        return true;
    }
    let (path, fragment) = link.split_once('#').map_or((link, None), |(path, fragment)| (path, Some(fragment)));
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let Some(target) = (match path {
        "" => Some(page.to_path_buf()),
        _ => resolved(page, path),
    }) else {
        return false;
    };
    match fragment {
        Some(fragment) if !fragment.is_empty() => {
            names.get(&target).is_some_and(|names| names.contains(unescaped(fragment).as_str()))
        }
        _ => folder.join(target).exists(),
    }
}

/// `link` from `page`, without what goes up; nothing where it goes up too far.
fn resolved(page: &Path, link: &str) -> Option<PathBuf> {
    let mut target = PathBuf::new();
    for component in page.parent()?.join(unescaped(link)).components() {
        match component {
            Component::ParentDir => target.pop().then_some(())?,
            Component::Normal(name) => target.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(target)
}

/// The values of an attribute in a page.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let start = format!(" {name}=\"");
    let values = html.match_indices(&start).map(|(at, start)| &html[at + start.len()..]).collect::<Vec<_>>();
    values.into_iter().filter_map(|rest| rest.split_once('"').map(|(value, _)| value))
}

/// A link with the characters that stand in it as `%2F` or `&amp;`.
fn unescaped(link: &str) -> String {
    let link = link.replace("&amp;", "&");
    let mut bytes = Vec::with_capacity(link.len());
    let mut rest = link.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        match code {
            Some(code) if *first == b'%' => {
                bytes.push(code);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the pages below `folder`.
fn read(folder: &Path, below: &Path, pages: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    let here = folder.join(below);
    let entries = fs::read_dir(&here).with_context(|| format!("cannot read {}", here.display()))?;
    for entry in entries {
        let path = below.join(entry?.file_name());
        let full = folder.join(&path);
        if full.is_dir() {
            read(folder, &path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let html = fs::read_to_string(&full).with_context(|| format!("cannot read {}", full.display()))?;
            pages.insert(path, html);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_page_a_file_or_a_heading() {
        let names = BTreeMap::from([
            (PathBuf::from("index.html"), BTreeSet::from(["top"])),
            (PathBuf::from("docs/a.html"), BTreeSet::from(["here"])),
        ]);
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let from = |page: &str, link: &str| leads(&src, Path::new(page), link, &names);
        assert!(from("docs/a.html", "#here") && !from("docs/a.html", "#there"));
        assert!(from("docs/a.html", "../index.html#top") && !from("docs/a.html", "../index.html#here"));
        assert!(from("index.html", "docs/a.html#here") && !from("index.html", "docs/b.html#here"));
        assert!(from("docs/a.html", "../main.rs") && !from("docs/a.html", "main.rs"));
        assert!(from("docs/a.html", "../book/mod.rs?x=1") && !from("a.html", "../../Cargo.toml"));
        assert!(from("a.html", "https://example.org/x#y") && from("a.html", "mailto:a@example.org"));
    }

    #[test]
    fn attributes_and_escapes_are_understood() {
        let html = r#"<a class="x" href="a.html#b">c</a> <h2 id="b">d</h2> <img src="e%20f.png">"#;
        assert_eq!(attributes(html, "href").collect::<Vec<_>>(), ["a.html#b"]);
        assert_eq!(attributes(html, "id").collect::<Vec<_>>(), ["b"]);
        assert_eq!(unescaped("e%20f%2.png&amp;%"), "e f%2.png&%");
    }
}
