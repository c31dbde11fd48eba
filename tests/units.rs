//! The systemd units in `configs/systemd`: accepted without a warning, and as little exposed as `docs/service.md` says;
//! and the udev rule that starts one of them.
//!
//! The programs that check them name the units' mistakes, not what the kernel makes of them: whether gaitd lives within
//! its hardening shows only under a systemd that runs as process 1.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gaitd_tests::skipped;
use serde_json::Value;
use tempfile::TempDir;

/// The services, each with the most that it may be exposed, in tenths of the points of `systemd-analyze security`.
const MOST_EXPOSED: [(&str, &str); 2] = [("gaitd.service", "15"), ("gaitd-iio@.service", "15")];

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")
}

fn unit(name: &str) -> String {
    std::fs::read_to_string(configs().join("systemd").join(name)).unwrap()
}

/// The values of `setting` in `unit`, in order.
fn settings<'a>(unit: &'a str, setting: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(setting)?.strip_prefix('=')).collect()
}

/// The version of the systemd here; nothing where there is none, and then standard error says what is not checked.
fn systemd(test: &str) -> Option<u32> {
    let Ok(output) = Command::new("systemd-analyze").arg("--version").output() else {
        skipped(test, "there is no systemd-analyze here (Debian: apt-get install systemd)");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.split_whitespace().nth(1).unwrap().split(['.', '~', '-']).next().unwrap().parse().unwrap())
}

/// The units as they will lie on a machine that has gaitd, with these drop-ins of the service. The binary is the one
/// that was just built, for `verify` wants it to exist and /usr/bin/gaitd need not.
fn installed(drop_ins: &[&str]) -> TempDir {
    let directory = TempDir::new().unwrap();
    let binary = assert_cmd::cargo::cargo_bin!("gaitd").to_str().unwrap();
    for (name, commands) in [("gaitd.service", 2), ("gaitd-iio@.service", 1)] {
        let service = unit(name);
        assert_eq!(service.matches("=/usr/bin/gaitd ").count(), commands, "{name}");
        let service = service.replace("=/usr/bin/gaitd ", &format!("={binary} "));
        std::fs::write(directory.path().join(name), service).unwrap();
    }
    std::fs::write(directory.path().join("gaitd.socket"), unit("gaitd.socket")).unwrap();
    for name in drop_ins {
        let folder = directory.path().join("gaitd.service.d");
        std::fs::create_dir_all(&folder).unwrap();
        // with everything that a user may uncomment
        let text: Vec<String> = unit(name)
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned())
            .collect();
        std::fs::write(folder.join(name), text.join("\n") + "\n").unwrap();
    }
    directory
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn systemd_has_nothing_to_say_about_the_units() {
    let Some(version) = systemd("systemd_has_nothing_to_say_about_the_units") else { return };
    let mut variants = vec![vec![], vec!["socket-activation.conf"], vec!["sensor.conf"]];
    if version >= 254 {
        variants.push(vec!["back-off.conf"]);
    } else {
        let reason = format!("systemd {version} does not know its settings, 254 does");
        skipped("systemd_has_nothing_to_say_about_the_units, of back-off.conf", reason);
    }
    for drop_ins in variants {
        let directory = installed(&drop_ins);
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "gaitd.service", "gaitd.socket", "gaitd-iio@.service"])
            // ours before the system's, whose units ours depend on
            .env("SYSTEMD_UNIT_PATH", format!("{}:", directory.path().display()))
            .output()
            .unwrap();
        let text = told(&output);
        assert!(output.status.success() && !text.contains("gaitd"), "{drop_ins:?}: {text}");
    }
}

#[test]
fn a_mistake_in_a_unit_would_be_found() {
    let Some(_) = systemd("a_mistake_in_a_unit_would_be_found") else { return };
    let directory = installed(&["socket-activation.conf"]);
    let drop_in = directory.path().join("gaitd.service.d/mistake.conf");
    std::fs::write(drop_in, "[Service]\nProtectEverything=yes\n").unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "gaitd.service"])
        .env("SYSTEMD_UNIT_PATH", format!("{}:", directory.path().display()))
        .output()
        .unwrap();
    assert!(told(&output).contains("ProtectEverything"), "{}", told(&output));
}

#[test]
fn the_services_are_hardly_exposed() {
    let Some(version) = systemd("the_services_are_hardly_exposed") else { return };
    if version < 250 {
        skipped("the_services_are_hardly_exposed", format!("systemd {version} cannot judge unit files, 250 can"));
        return;
    }
    let directory = installed(&[]);
    for (name, most) in MOST_EXPOSED {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", "--threshold", most])
            .arg(directory.path().join(name))
            .output()
            .unwrap();
        let text = told(&output);
        let level = text.lines().find(|line| line.contains("Overall exposure level"));
        assert!(output.status.success(), "{text}");
        println!("{}", level.unwrap().trim());
    }
}

#[test]
fn the_socket_unit_listens_where_the_service_would() {
    let config: Value = serde_json::from_slice(&std::fs::read(configs().join("service.json")).unwrap()).unwrap();
    let listen = config["http"]["listen"].as_str().unwrap();
    assert_eq!(settings(&unit("gaitd.socket"), "ListenStream"), [listen, "/run/gaitd/control.sock"]);
    let service = unit("gaitd.service");
    assert_eq!(settings(&service, "RuntimeDirectory"), ["gaitd"], "where the service makes control.sock");
    let reload = settings(&service, "ExecReload")[0];
    assert!(reload.contains("--socket %t/gaitd/control.sock"), "{reload}");
    assert_eq!(settings(&unit("gaitd.socket"), "SocketGroup"), settings(&service, "Group"));
    assert!(unit("gaitd.sysusers.conf").contains(&format!("g {} -", settings(&service, "Group")[0])));
}

#[test]
fn the_service_reads_the_configuration_that_is_shipped_for_it() {
    let start = unit("gaitd.service");
    assert_eq!(settings(&start, "ExecStart"), ["/usr/bin/gaitd run /etc/gaitd/config.json"]);
    let config: Value = serde_json::from_slice(&std::fs::read(configs().join("service.json")).unwrap()).unwrap();
    assert_eq!(config["source"]["on_failure"], "retry", "a sensor that is not there yet must not end the service");
    // a mistake there must not be tried for ever
    assert_eq!(settings(&start, "RestartPreventExitStatus"), ["64 65 78"]);
}

#[test]
fn the_sensors_program_writes_where_the_service_reads() {
    let sensor = unit("gaitd-iio@.service");
    let config: Value = serde_json::from_slice(&std::fs::read(configs().join("service.json")).unwrap()).unwrap();
    let samples = config["source"]["path"].as_str().unwrap();
    assert_eq!(settings(&sensor, "ExecStart"), [format!("/usr/bin/gaitd iio %i --pipe {samples}")]);
    let folder = format!("/run/{}", settings(&sensor, "RuntimeDirectory")[0]);
    assert_eq!(Path::new(samples).parent().unwrap(), Path::new(&folder));
    assert_eq!(settings(&sensor, "Group"), settings(&unit("gaitd.service"), "Group"), "who may read the samples");
}

#[test]
fn a_motion_sensor_starts_its_program() {
    let rule = std::fs::read_to_string(configs().join("udev/70-gaitd.rules")).unwrap();
    let start: Vec<_> = rule.lines().filter(|line| line.contains("SYSTEMD_WANTS")).collect();
    assert_eq!(start.len(), 1);
    assert!(start[0].contains("gaitd-iio@%k.service") && start[0].contains("TAG+=\"systemd\""), "{rule}");
    let Some(version) = systemd("a_motion_sensor_starts_its_program") else { return };
    if version < 254 {
        skipped(
            "a_motion_sensor_starts_its_program, by udevadm verify",
            format!("systemd {version} has none, 254 has"),
        );
        return;
    }
    let Ok(output) = Command::new("udevadm").arg("verify").arg(configs().join("udev/70-gaitd.rules")).output() else {
        let reason = "there is no udevadm here (Debian: apt-get install udev)";
        skipped("a_motion_sensor_starts_its_program, by udevadm verify", reason);
        return;
    };
    assert!(output.status.success(), "{}", told(&output));
}
