//! The stream of events, for good subscribers and slow ones.

use std::time::Duration;

use gaitd_core::decode::{Episode, Place};
use gaitd_core::engine::{Decision, Revision};
use gaitd_daemon::http::Limits;
use serde_json::json;

use super::world::{World, decision, header, patient, published, until, world};
use gaitd_tests::http::Event;
use gaitd_tests::openapi::check;

fn decide(world: &World, windows: std::ops::Range<u64>) {
    for window in windows {
        let decision = decision(window);
        world.board.decision(&header(), &decision, published(&decision));
    }
}

fn window(event: &Event) -> u64 {
    assert_eq!(event.name, "decision", "{event:?}");
    event.data["window"].as_u64().unwrap()
}

#[test]
fn a_newcomer_is_greeted_sees_the_last_minutes_and_then_what_happens() {
    let world = world(patient());
    decide(&world, 0..302);
    let mut events = world.tcp.events(None);
    let hello = events.next().unwrap();
    assert_eq!((hello.name.as_str(), &hello.data["model"]), ("hello", &json!("uci-har-cnn")));
    // 300 are kept
    for expected in 2..302 {
        let event = events.next().unwrap();
        assert_eq!(window(&event), expected);
        assert_eq!(event.id, Some(format!("run7-{}", expected + 1)));
        if expected == 2 {
            check("Decision", &event.data);
        }
    }
    assert_eq!(events.next().unwrap().name, "status");
    until("there is a subscriber", || world.board.subscribers() == 1);
    decide(&world, 302..303);
    assert_eq!(window(&events.next().unwrap()), 302);
    world.board.post("reload", b"{\"class\":\"reload\",\n\"stream\":\"test\",\"ok\":true,\"message\":\"a\\nb\"}");
    let reload = events.next().unwrap();
    check("Reload", &reload.data);
    assert_eq!((reload.data["message"].as_str(), reload.id.as_deref()), (Some("a\nb"), Some("run7-304")));
    drop(events);
    until("who has gone is no subscriber", || world.board.subscribers() == 0);
}

#[test]
fn an_episode_follows_the_decision_that_it_ended_before_and_is_kept_with_it() {
    let world = world(patient());
    let place = |second: u64| Place {
        sample: 50 * second,
        time_s: Some(second as f64),
        wall: Some(Duration::from_secs(1_764_400_000 + second)),
    };
    let (begin, end, lasts) = (place(2), place(9), Duration::from_secs(7));
    let episode = Episode { activity: 3, begin, end, lasts, windows: 5, confidence: 0.75 };
    let ending = Decision { episode: Some(episode), ..decision(1) };
    world.board.decision(&header(), &decision(0), published(&decision(0)));
    world.board.decision(&header(), &ending, published(&ending));
    let names = |events: Vec<Event>| events.into_iter().map(|event| event.name).collect::<Vec<_>>();
    let seen: Vec<Event> = world.tcp.events(None).take(5).collect();
    let data = &seen[3].data;
    check("Episode", data);
    assert_eq!((&data["activity"], &data["confidence"]), (&json!("sitting"), &json!(0.75)));
    assert_eq!((&data["start_s"], &data["end_s"], &data["samples"]), (&json!(2.0), &json!(9.0), &json!([100, 450])));
    assert_eq!(seen[3].id.as_deref(), Some("run7-3"));
    assert_eq!(names(seen), ["hello", "decision", "decision", "episode", "status"]);
    assert_eq!(names(world.tcp.events(Some("run7-2")).take(3).collect()), ["hello", "episode", "status"]);
    // its buffer may become another event's
    decide(&world, 2..301);
    let seen: Vec<Event> = world.tcp.events(None).skip(1).take(300).collect();
    assert_eq!((window(&seen[1]), window(&seen[299])), (2, 300));
    assert_eq!(seen[0].name, "episode");
    decide(&world, 301..302);
    let seen: Vec<Event> = world.tcp.events(None).skip(1).take(300).collect();
    assert_eq!((window(&seen[0]), window(&seen[299])), (2, 301));
}

#[test]
fn a_window_that_is_told_of_again_comes_with_the_decision_that_does_so() {
    let world = world(patient());
    let mut revising = decision(4);
    let belief = vec![0.25, 0.75, 0.0, 0.0, 0.0, 0.0];
    revising.revision =
        Some(Revision { window: 2, samples: (128, 255), time_s: Some(5.1), wall: None, activity: 1, belief });
    world.board.decision(&header(), &revising, published(&revising));
    let seen: Vec<Event> = world.tcp.events(None).skip(1).take(2).collect();
    assert_eq!((window(&seen[0]), seen[1].name.as_str()), (4, "revised"));
    let data = &seen[1].data;
    check("Revised", data);
    assert_eq!((&data["window"], &data["samples"], &data["time"]), (&json!(2), &json!([128, 255]), &json!(null)));
    let labels = &header().manifest.task.labels;
    assert_eq!((&data["activity"], &data["belief"][&labels[1]]), (&json!(labels[1]), &json!(0.75)));
}

#[test]
fn who_comes_back_goes_on_where_they_were() {
    let world = world(patient());
    decide(&world, 0..10);
    let first = |last: Option<&str>| {
        let mut events = world.tcp.events(last);
        assert_eq!(events.next().unwrap().name, "hello");
        events.next().unwrap()
    };
    assert_eq!(window(&first(Some("run7-4"))), 4);
    assert_eq!(first(Some("run7-10")).name, "status", "there is nothing new");
    // another run, or nonsense: everything
    for last in ["run6-4", "run7-11", "run7-", "run7-x", "run7", "4", ""] {
        assert_eq!(window(&first(Some(last))), 0, "{last}");
    }
}

#[test]
fn a_slow_subscriber_loses_its_oldest_events_and_is_told_and_nobody_waits() {
    const POSTED: u64 = 2000;
    let world = world(patient());
    let mut events = world.tcp.events(None);
    assert_eq!(events.next().unwrap().name, "hello");
    assert_eq!(events.next().unwrap().name, "status");
    // far more than the system keeps for a connection
    let filler = "x".repeat(32 << 10);
    for number in 0..POSTED {
        world.board.post("samples", format!(r#"{{"number":{number},"filler":"{filler}"}}"#).as_bytes());
    }
    let World { server, board, .. } = world;
    let reader = std::thread::spawn(move || {
        let (mut seen, mut lost, mut latest) = (0, 0, None);
        for event in events {
            match event.name.as_str() {
                "samples" => {
                    let number = event.data["number"].as_u64();
                    assert!(number > latest, "in order");
                    (latest, seen) = (number, seen + 1);
                }
                "lost" => {
                    check("Lost", &event.data);
                    assert_eq!(event.id, None, "it moves nobody's place");
                    lost += event.data["events"].as_u64().unwrap();
                }
                "bye" => break,
                other => panic!("{other}"),
            }
            if latest == Some(POSTED - 1) {
                break;
            }
        }
        (seen, lost)
    });
    let (seen, lost) = reader.join().unwrap();
    assert!(lost > 0);
    assert_eq!(seen + lost, POSTED);
    assert_eq!(board.lost(), lost);
    server.stop();
}

#[test]
fn who_reads_nothing_at_all_is_cut_off() {
    let world = world(Limits { stall: Duration::from_millis(20), ..patient() });
    let filler = format!("\"{}\"", "x".repeat(64 << 10));
    for (cut_off, client) in [(1, &world.tcp), (2, &world.unix)] {
        let mut events = client.events(None);
        assert_eq!(events.next().unwrap().name, "hello");
        until("the subscriber is cut off", || {
            world.board.post("samples", filler.as_bytes());
            world.board.subscribers() == 0
        });
        until("it is counted", || world.refused("stalled") == cut_off);
    }
}

#[test]
fn there_is_room_for_so_many_subscribers_and_then_for_others_again() {
    let world = world(Limits { subscribers: 3, ..patient() });
    let mut listening: Vec<_> = (0..3).map(|_| world.tcp.events(None)).collect();
    assert_eq!(world.tcp.try_events(None).err(), Some(503));
    assert_eq!(world.refused("subscribers"), 1);
    listening.pop();
    until("there is room again", || world.board.subscribers() == 2);
    assert!(world.tcp.try_events(None).is_ok());
}

#[test]
fn the_status_comes_by_itself_and_silence_is_broken() {
    let world = world(Limits { status: Duration::from_millis(5), ..patient() });
    let statuses = world.tcp.events(None).filter(|event| event.name == "status").take(3);
    assert_eq!(statuses.count(), 3);

    let world = self::world(Limits { heartbeat: Duration::from_millis(5), ..patient() });
    let mut wire = world.tcp.connect();
    let asked = world.tcp.request("GET", "/api/events", &[], b"");
    std::io::Write::write_all(&mut wire, &asked).unwrap();
    let mut seen = Vec::<u8>::new();
    while !seen.windows(4).any(|four| four == b"\n:\n\n") {
        let mut some = [0; 1024];
        let read = std::io::Read::read(&mut wire, &mut some).unwrap();
        assert_ne!(read, 0);
        seen.extend(&some[..read]);
    }
}

#[test]
fn whoever_subscribes_before_the_greeting_is_greeted_later() {
    let fake = super::world::fake();
    let options = gaitd_daemon::http::ServerOptions {
        tcp: Some(super::world::anywhere()),
        limits: patient(),
        ..Default::default()
    };
    let (server, _) = super::world::start(&fake, options);
    let tcp = gaitd_tests::http::Client::tcp(server.listeners().views()[0].address.parse().unwrap());
    let mut events = tcp.events(None);
    assert_eq!(events.next().unwrap().name, "status");
    fake.board.greet(&header());
    assert_eq!(events.next().unwrap().name, "hello");
    fake.board.greet(&header());
    fake.board.post("settings", b"{}");
    assert_eq!(events.next().unwrap().name, "settings", "a new greeting is for newcomers");
}

#[test]
fn while_nobody_subscribes_decisions_allocate_nothing() {
    let world = world(patient());
    let header = header();
    let decisions: Vec<_> = (100..800).map(decision).collect();
    let post = || {
        for decision in &decisions {
            world.board.decision(&header, decision, published(decision));
            world.metrics.decided(decision);
            world.metrics.published(decision, published(decision));
        }
    };
    // buffers find their size, and metrics their handles
    post();
    let allocated = allocation_counter::measure(post);
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
    assert_eq!(world.tcp.events(None).nth(300).unwrap().data["window"], 799);
}
