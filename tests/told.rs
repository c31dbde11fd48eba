//! What is told of a stream that can be read otherwise than it is meant, through the built program.

use gaitd_tests::{CSV_HEADER, lines};
use tempfile::TempDir;

use crate::program::gaitd;

/// What a command tells with `bytes` in the file `s.csv`, and its exit code and standard output.
fn told_of(bytes: impl AsRef<[u8]>, arguments: &[&str]) -> (String, Option<i32>, Vec<u8>) {
    let here = TempDir::new().unwrap();
    std::fs::write(here.path().join("s.csv"), bytes).unwrap();
    let mut command = gaitd(here.path());
    command.env("GAITD_LOG", "warn").current_dir(here.path()).args(arguments);
    let output = command.output().unwrap();
    (String::from_utf8(output.stderr).unwrap(), output.status.code(), output.stdout)
}

fn run(bytes: impl AsRef<[u8]>, arguments: &[&str]) -> (String, Option<i32>, Vec<u8>) {
    told_of(bytes, &[&["run", "--source", "s.csv", "--pace", "fast", "--rung", "1.00x-128"], arguments].concat())
}

/// Ten seconds at 100 Hz under another name for the time.
fn hundred_a_second(time: &str) -> String {
    let line = |number: u64| {
        let (_, values) = gaitd_tests::csv_line(number).split_once(',').map(|(_, it)| ((), it.to_owned())).unwrap();
        format!("{:.2},{values}", number as f64 / 100.0)
    };
    CSV_HEADER.replacen('t', time, 1) + &(0..1000).map(line).collect::<String>()
}

#[test]
fn a_recording_without_a_known_time_says_by_what_it_is_placed() {
    for name in ["Zeit", "SampleTimeFine", "tempo"] {
        let (told, code, output) = run(hundred_a_second(name), &[]);
        let windows = lines(&output, "decision").len();
        assert_eq!((code, windows, told.matches("WARN").count()), (Some(0), 14, 1), "{told}");
        assert!(
            told.contains("s.csv: no column is known to be the time, so its samples are taken for 50 per second"),
            "{told}"
        );
        assert!(told.contains("state the true rate (--rate, `source.rate_hz`)"), "{told}");
        assert!(told.contains(&format!("`{name}` rises evenly, by about 0.01 a row, and may be the time")), "{told}");
        assert!(told.contains("--columns"), "{told}");
    }
    // what is named mends it
    for more in [&["--columns", "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"][..], &["--rate", "100"]] {
        let (told, _, output) = run(hundred_a_second("Zeit"), more);
        let windows = lines(&output, "decision").len();
        // the rate is known, and the column may be a better one
        assert_eq!((windows, told.matches("WARN").count()), (6, usize::from(more[0] == "--rate")), "{told}");
    }
    let (told, _, _) = run(hundred_a_second("t"), &[]);
    assert_eq!(told, "");
}

#[test]
fn a_recording_without_any_time_says_so_in_every_command_that_reads_it() {
    let bare =
        |text: String| text.lines().map(|line| line.split_once(',').unwrap().1.to_owned() + "\n").collect::<String>();
    let expected = "no column is known to be the time, so its samples are taken for 50 per second";
    let (told, _, _) = run(bare(gaitd_tests::csv(6.0)), &[]);
    assert!(told.matches("WARN").count() == 1 && told.contains(expected) && !told.contains("may be"), "{told}");
    // the rows' numbers say nothing
    let numbered = gaitd_tests::csv(6.0).replacen('t', "index", 1);
    let numbered: String = numbered
        .lines()
        .enumerate()
        .map(
            |(row, line)| {
                if row == 0 { format!("{line}\n") } else { format!("{row},{}\n", line.split_once(',').unwrap().1) }
            },
        )
        .collect();
    let (told, _, _) = run(numbered, &[]);
    assert!(told.contains(expected) && !told.contains("may be"), "{told}");
    let json: String = (0..300)
        .map(|number| {
            format!(
                "{{\"tick\": {}, \"acc\": [1, 0.1, {}], \"gyro\": [0, 0, {}]}}\n",
                number * 20,
                number % 3,
                number % 5
            )
        })
        .collect();
    let (told, _, _) = run(json, &[]);
    assert!(told.contains("`tick` rises evenly, by about 20 a row"), "{told}");
    let labelled = bare(gaitd_tests::csv(6.0));
    let labelled: String = labelled
        .lines()
        .enumerate()
        .map(|(row, line)| format!("{line},{}\n", if row == 0 { "label" } else { "walking" }))
        .collect();
    let (told, code, _) = told_of(labelled, &["replay", "s.csv", "--rung", "1.00x-128"]);
    assert!(code == Some(0) && told.contains(expected), "{told}");
    let declared = "# rate_hz=50\n".to_owned() + &bare(gaitd_tests::csv(6.0));
    assert_eq!(run(declared, &[]).0, "");
    let (_, _, text) = told_of(hundred_a_second("Zeit"), &["check", "--stream", "s.csv"]);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("remark: no times: taken for 50") && text.contains("`Zeit` rises evenly"), "{text}");
}

#[test]
fn a_rate_beside_times_is_told_to_be_of_no_use() {
    let (told, code, _) = run(gaitd_tests::csv(6.0), &["--rate", "100"]);
    assert_eq!(code, Some(0));
    assert!(
        told.contains("go by those; the stated rate of 100 per second (--rate, `source.rate_hz`) is not used"),
        "{told}"
    );
}

#[test]
fn lines_before_a_header_are_told_once_and_what_is_right_is_no_warning() {
    let (told, code, _) = run("\u{1}?\n".repeat(9) + &gaitd_tests::csv(6.0), &[]);
    assert_eq!((code, told.matches("WARN").count()), (Some(0), 1), "{told}");
    assert!(told.contains("line 1: neither a CSV header") && told.contains("; 8 more before the first"), "{told}");
    let (told, code, output) = run("0.1 0.2 0.3 0.4\n".repeat(20), &[]);
    assert_eq!((code, told.matches("WARN").count(), output.len()), (Some(65), 0, 0), "{told}");
    assert!(told.contains("fields apart by blanks? gaitd reads commas, semicolons and tabs"), "{told}");
    // units that are stated are as they should be
    let stated = gaitd_tests::csv(6.0).replacen("gyro_x", "gyro_x [deg/s]", 1);
    assert!(!run(stated, &[]).0.contains("converting"));
}

#[test]
fn packed_files_are_named() {
    let (told, code, _) = run(b"PK\x03\x04\x14\0\0\0", &[]);
    assert!(
        code == Some(65) && told.contains("s.csv: is a zip archive: unpack it, and name the files in it"),
        "{told}"
    );
    let here = TempDir::new().unwrap();
    std::fs::write(here.path().join("s.csv"), gaitd_tests::csv(20.0)).unwrap();
    gaitd(here.path()).current_dir(here.path()).args(["import", "s.csv", "-o", "packed.csv.gz"]).assert().success();
    let packed = std::fs::read(here.path().join("packed.csv.gz")).unwrap();
    let (told, code, _) = run(&packed[..packed.len() - 100], &[]);
    assert!(code == Some(0) && told.contains("s.csv: gzip ends before its end"), "{told}");
}
