//! Pages of the reference that say what the code says: `GAITD_UPDATE=1` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use gaitd_tests::repository;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{commands, gaitd};

/// Holds a page against what it has to be, or writes it.
fn hold(name: &str, page: &str) {
    let path = repository().join("docs").join(name);
    if std::env::var_os("GAITD_UPDATE").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == page, "docs/{name} is not what the program says; GAITD_UPDATE=1 writes it anew");
}

/// What a command says of itself.
fn help(folder: &Path, command: &[&str]) -> String {
    let output = gaitd(folder).args(command).arg("--help").assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn commands_are_told_as_they_tell_of_themselves() {
    let folder = TempDir::new().unwrap();
    let mut page = "# Commands\n\nWhat `--help` says, of each.\n".to_owned();
    let mut tell = |command: &[&str]| {
        let level = "#".repeat(2 + command.len().saturating_sub(1));
        let name = [&["gaitd"], command].concat().join(" ");
        write!(page, "\n{level} {name}\n\n```text\n{}\n```\n", help(folder.path(), command)).unwrap();
    };
    tell(&[]);
    for command in commands(&[]) {
        tell(&[&command]);
        for below in commands(&[&command]) {
            tell(&[&command, &below]);
        }
    }
    hold("commands.md", &page);
}

fn schema(name: &str) -> Value {
    let path = repository().join("docs/schema").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The first sentences of a description, on one line of a table.
fn line(text: &str) -> String {
    text.split("\n\n").next().unwrap().replace('\n', " ").replace('|', "\\|")
}

#[test]
fn the_http_interface_is_told_as_its_description_has_it() {
    let document = schema("openapi.json");
    let mut page =
        "# HTTP\n\n`/api/openapi.json` describes all of it for programs, and `gaitd schema openapi` prints that \
                    description. The same can be asked over the control socket. \
                    [service.md](service.md#who-may-do-what) says who may do what.\n"
            .to_owned();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let text = |key: &str| operation[key].as_str().unwrap_or_default();
            write!(page, "\n## {} {path}\n\n{}.\n", method.to_uppercase(), text("summary")).unwrap();
            if !text("description").is_empty() {
                writeln!(page, "{}", text("description")).unwrap();
            }
            page += "\n| answer | what |\n| --- | --- |\n";
            for (code, answer) in operation["responses"].as_object().unwrap() {
                let answer = match answer["$ref"].as_str().and_then(|at| document.pointer(at.trim_start_matches('#'))) {
                    Some(shared) => shared,
                    None => answer,
                };
                let kinds = answer["content"].as_object().into_iter().flatten().map(|(kind, _)| format!("`{kind}`"));
                let kinds = kinds.collect::<Vec<_>>().join(", ");
                let separator = if kinds.is_empty() { "" } else { ", as " };
                let what = line(answer["description"].as_str().unwrap());
                writeln!(page, "| {code} | {what}{separator}{kinds} |").unwrap();
            }
        }
    }
    hold("http.md", &page);
}

/// Every key of the configuration, as its schema has them.
fn keys(schema: &Value, form: &Value, found: &mut BTreeSet<String>) {
    let form = match form["$ref"].as_str() {
        Some(place) => schema.pointer(place.trim_start_matches('#')).unwrap(),
        None => form,
    };
    for alternative in ["anyOf", "oneOf", "allOf"].iter().filter_map(|kind| form[kind].as_array()).flatten() {
        keys(schema, alternative, found);
    }
    for (name, below) in form["properties"].as_object().into_iter().flatten() {
        if below["writeOnly"] == true {
            continue;
        }
        found.insert(name.clone());
        keys(schema, below, found);
    }
}

#[test]
fn every_key_of_the_configuration_is_explained() {
    let (schema, page) = (schema("config.json"), repository().join("docs/configuration.md"));
    let page = std::fs::read_to_string(page).unwrap();
    let mut found = BTreeSet::new();
    keys(&schema, &schema, &mut found);
    assert!(found.contains("budget_ms") && found.contains("mount_matrix"), "{found:?}");
    let words: BTreeSet<&str> = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<_> = found.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "docs/configuration.md does not name {missing:?}");
}
