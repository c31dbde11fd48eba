//! Where the server is, and how it comes and goes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use gaitd_api::{ListenerState, ListenerView};
use gaitd_daemon::http::{Limits, Server, ServerOptions};
use tempfile::TempDir;

use super::world::{anywhere, fake, patient, start, until, world};
use gaitd_tests::http::Client;

fn options() -> ServerOptions {
    let quick = Duration::from_millis(5);
    ServerOptions { limits: Limits { retry: quick, retry_longest: quick, ..patient() }, ..ServerOptions::default() }
}

fn only(server: &Server) -> ListenerView {
    let mut views = server.listeners().views();
    assert_eq!(views.len(), 1);
    views.remove(0)
}

fn listening(server: &Server) -> bool {
    only(server).state == ListenerState::Listening
}

#[test]
fn the_socket_is_for_owner_and_group_and_goes_with_the_server() {
    let world = world(patient());
    let path = world.folder.path().join("run/control.sock");
    let made = std::fs::metadata(&path).unwrap();
    assert_eq!(made.permissions().mode() & 0o7777, 0o660);
    let views = world.unix.get("/api/status").json()["listeners"].clone();
    assert_eq!(views.as_array().unwrap().len(), 2);
    assert_eq!(views[1]["address"], path.to_str().unwrap());
    assert_eq!(views[1]["state"], "listening");
    world.server.stop();
    assert!(!path.exists());
    assert!(world.tcp.try_connect().is_err());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "nobody listens there, but the file is there");
    let (fake, other) = (fake(), fake());
    let (first, _) = start(&fake, ServerOptions { unix: Some(path.clone()), ..options() });
    assert!(listening(&first));
    let inode = std::fs::metadata(&path).unwrap().ino();

    let (second, _) = start(&other, ServerOptions { unix: Some(path.clone()), ..options() });
    let refused = only(&second);
    assert_eq!(refused.state, ListenerState::Retrying);
    assert!(refused.detail.unwrap().contains("another process listens there"));
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode);
    let asked = Client::unix(&path);
    assert_eq!(asked.get("/healthz").status, 200);

    first.stop();
    until("the second takes over", || listening(&second));
    assert_eq!(asked.get("/healthz").status, 200);
    second.stop();
    assert!(!path.exists());
}

#[test]
fn another_file_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "precious").unwrap();
    let fake = fake();
    let (server, _) = start(&fake, ServerOptions { unix: Some(path.clone()), ..options() });
    assert!(only(&server).detail.unwrap().contains("no socket"));
    server.stop();
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");

    // nor is a socket that somebody else has put in the place of ours
    let (server, _) = start(&fake, ServerOptions { unix: Some(folder.path().join("control.sock")), ..options() });
    let theirs = folder.path().join("control.sock");
    std::fs::remove_file(&theirs).unwrap();
    let _listening = UnixListener::bind(&theirs).unwrap();
    server.stop();
    assert!(std::fs::metadata(&theirs).unwrap().file_type().is_socket());
}

#[test]
fn a_port_that_is_taken_is_had_once_it_is_free() {
    let taken = TcpListener::bind(anywhere()).unwrap();
    let address = taken.local_addr().unwrap();
    let fake = fake();
    let (server, _) = start(&fake, ServerOptions { tcp: Some(address), ..options() });
    let view = only(&server);
    assert_eq!((view.address.as_str(), view.state), (address.to_string().as_str(), ListenerState::Retrying));
    assert!(view.detail.unwrap().contains("next attempt"));
    drop(taken);
    until("the port is free", || listening(&server));
    assert_eq!(only(&server).detail, None);
    assert_eq!(Client::tcp(address).get("/healthz").status, 200);
}

#[test]
fn sockets_that_were_handed_over_are_used_and_left_in_place() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("handed.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let tcp = TcpListener::bind(anywhere()).unwrap();
    let address = tcp.local_addr().unwrap();
    let fake = fake();
    let (server, _) = start(&fake, ServerOptions { activated_tcp: vec![tcp], activated_unix: vec![unix], ..options() });
    assert_eq!(Client::tcp(address).get("/healthz").status, 200);
    assert_eq!(Client::unix(&path).post("/api/reload").status, 200);
    server.stop();
    assert!(path.exists());
}

#[test]
fn the_end_waits_for_nobody_and_says_goodbye() {
    let world = world(patient());
    let (begun, end) = world.fake.slow_reload();
    let mut reloading = world.unix.connect();
    reloading.write_all(&world.unix.request("POST", "/api/reload", &[], b"")).unwrap();
    begun.recv().unwrap();
    let mut silent = world.tcp.connect();
    let mut half = world.tcp.connect();
    half.write_all(b"GET /").unwrap();
    let mut kept = world.tcp.connect();
    kept.write_all(&world.tcp.request("GET", "/healthz", &[("Connection", "keep-alive")], b"")).unwrap();
    let mut answer = [0; 12];
    kept.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let events = world.tcp.events(None);

    // the reload does not end before this returns
    world.server.stop();
    end.send(()).unwrap_or_default();
    assert_eq!(events.last().unwrap().name, "bye");
    for wire in [&mut silent, &mut half, &mut kept, &mut reloading] {
        wire.rest();
    }
    assert!(world.tcp.try_connect().is_err());
}

#[test]
fn nothing_to_listen_on_is_fine() {
    let (server, _) = start(&fake(), options());
    assert!(server.listeners().views().is_empty());
    server.stop();
}
