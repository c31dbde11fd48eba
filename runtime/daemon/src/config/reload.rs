//! What differs between two configurations, and which of it can be changed while the daemon runs.

use serde_json::Value;

use crate::config::Config;

/// What is bound when the daemon starts: threads and sockets hang on it.
const RESTART_ONLY: [&str; 7] = ["stream", "source", "episodes", "cpus", "state", "http.listen", "socket"];

/// The keys by which two configurations differ, such as `control.budget_ms`.
pub(crate) fn differing(before: &Config, after: &Config) -> Vec<String> {
    let [before, after] = [before, after].map(|config| serde_json::to_value(config).unwrap_or_default());
    let mut keys = Vec::new();
    collect(String::new(), &before, &after, &mut keys);
    keys
}

fn collect(key: String, before: &Value, after: &Value, keys: &mut Vec<String>) {
    if before == after {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        keys.push(key);
        return;
    };
    // variants of different kinds are compared whole, not field by field
    if old.get("kind") != new.get("kind") {
        keys.push(key);
        return;
    }
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    for name in names {
        let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        collect(key, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), keys);
    }
}

/// Whether the value under `key` is bound when the daemon starts.
pub(crate) fn needs_restart(key: &str) -> bool {
    // the whole interface: it appears or goes away
    key == "http"
        || RESTART_ONLY
            .iter()
            .any(|bound| key.strip_prefix(bound).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// `wanted`, but for what needs a restart: there the present values stay.
pub(crate) fn reloadable(wanted: &Config, present: &Config) -> Config {
    let Config { schema, models, backend, plausibility, control, head_ms, outputs, output, http, .. } = wanted.clone();
    let Config { link_token, detailed, .. } = wanted.clone();
    let Config { stream, source, episodes, cpus, state, socket, http: present_http, .. } = present.clone();
    let http = match (http, present_http) {
        (Some(mut http), Some(present)) => {
            http.listen = present.listen;
            Some(http)
        }
        (_, present) => present,
    };
    Config {
        schema,
        stream,
        models,
        backend,
        source,
        plausibility,
        control,
        head_ms,
        episodes,
        cpus,
        outputs,
        output,
        state,
        http,
        socket,
        link_token,
        detailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Http, SourceSpec};
    use gaitd_core::control::PolicySpec;
    use gaitd_core::ladder::BackendChoice;

    #[test]
    fn what_differs_is_named_and_what_needs_a_restart_stays() {
        let mut present = Config { http: Some(Http::default()), ..Config::default() };
        assert!(differing(&present, &present).is_empty());
        let mut wanted = present.clone();
        wanted.control.budget_ms = 20.0;
        wanted.control.policy = PolicySpec::Fixed { configuration: Some("1.00x-128".to_owned()) };
        wanted.source = SourceSpec::stdin();
        wanted.models = Some("other".into());
        wanted.backend = BackendChoice::Tract;
        wanted.socket = Some("socket".into());
        wanted.head_ms = 0.0;
        if let Some(http) = &mut wanted.http {
            http.listen.set_port(1);
            http.hosts.push("gait.example".to_owned());
        }
        let keys = differing(&present, &wanted);
        let (restart, now): (Vec<&str>, Vec<&str>) =
            keys.iter().map(String::as_str).partition(|key| needs_restart(key));
        assert_eq!(restart, ["http.listen", "socket", "source"]);
        assert_eq!(now, ["backend", "control.budget_ms", "control.policy", "head_ms", "http.hosts", "models"]);
        let effective = reloadable(&wanted, &present);
        assert!(differing(&effective, &wanted).iter().all(|key| needs_restart(key)));
        assert!(differing(&effective, &present).iter().all(|key| !needs_restart(key)));
        present.http = None;
        let keys = differing(&present, &Config { http: Some(Http::default()), ..present.clone() });
        assert_eq!(keys, ["http"]);
        assert!(needs_restart(&keys[0]));
        assert_eq!(reloadable(&wanted, &present).http, None);
    }

    #[test]
    fn keys_are_told_apart_by_whole_names() {
        for (key, restart) in [("source.seconds", true), ("sources", false), ("http.hosts", false), ("cpus", true)] {
            assert_eq!(needs_restart(key), restart, "{key}");
        }
    }
}
