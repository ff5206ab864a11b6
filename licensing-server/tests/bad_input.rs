//! Command lines, files and directories that cannot work: each with its error, in words that name the thing.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use licensing_core::id::Role;
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use tempfile::TempDir;

const FEATURES: &str = "VENDOR demo\nFEATURE f1 demo 1.0 permanent 10 SIGN=0\n";

fn server(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_licensing-server"))
        .args(arguments)
        .current_dir(directory)
        .env("RUST_LOG", "off")
        .output()
        .unwrap()
}

/// Runs it and compares exit code and stderr, where `…` stands for anything.
#[track_caller]
fn check(directory: &Path, arguments: &str, code: i32, expected: &str) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let output = server(directory, &arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    let mut rest = &*error;
    for part in expected.split('…') {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => panic!("expected: {expected}\nfound: {error}"),
        }
    }
}

fn files(name_and_text: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in name_and_text {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn triad_file(port: u16) -> String {
    format!("SERVER 127.0.0.1 ANY {port}\nSERVER 127.0.0.1 ANY 27002\nSERVER 127.0.0.1 ANY 27003\n{FEATURES}")
}

#[test]
fn files_that_cannot_be_served() {
    let two = format!("SERVER a ANY 27001\nSERVER b ANY 27002\n{FEATURES}");
    let one = format!("SERVER 127.0.0.1 ANY 27001\n{FEATURES}");
    let spread = format!("SERVER pat ANY 27001\nSERVER lee ANY 27001\nSERVER terry ANY 27001\n{FEATURES}");
    let good = triad_file(27001);
    let directory = files(&[
        ("two.lic", &two),
        ("one.lic", &one),
        ("spread.lic", &spread),
        ("good.lic", &good),
        ("bad.key", "hush\n"),
    ]);
    for (arguments, code, expected) in [
        (
            "serve --license none.lic --role primary --data d",
            1,
            "error: cannot read license file none.lic: No such file",
        ),
        ("serve --license two.lic --role primary --data d", 1, "error: two.lic:2:1: …SERVER"),
        (
            "serve --license one.lic --role secondary --data d",
            1,
            "error: one.lic: a single server cannot be the secondary",
        ),
        (
            "serve --license spread.lic --role primary --data d",
            1,
            "error: …(pat)…licensing-server peer-key FILE",
        ),
        ("serve --license spread.lic --data d", 1, "error: 0 SERVER lines name this host (…)…--role primary"),
        ("serve --license good.lic --data d", 1, "error: 3 SERVER lines name this host (…)…--role primary"),
        (
            "serve --license good.lic --role master --data d",
            2,
            "`master` is not a role: write primary, secondary or tertiary",
        ),
        (
            "serve --license good.lic --role primary --data d --peer-key bad.key",
            1,
            "error: key file bad.key: …64 hex digits",
        ),
        (
            "serve --license good.lic --role primary --data d --admin-key no.key",
            1,
            "error: cannot read key file no.key: ",
        ),
        (
            "serve --license good.lic --role primary --data d --session-grace 1ms",
            1,
            "error: a session grace of 1 ms …",
        ),
        (
            "serve --license good.lic --role primary --data d --session-grace long",
            2,
            "`long` is not a duration",
        ),
        (
            "serve --license good.lic --role primary --data good.lic/d --listen 127.0.0.1:0",
            1,
            "error: cannot make directory good.lic/d: Not a directory",
        ),
        ("check two.lic", 1, "error: two.lic:2:1: …"),
        ("check none.lic", 1, "error: cannot read license file none.lic: No such file"),
    ] {
        check(directory.path(), arguments, code, expected);
    }
}

#[test]
fn a_port_that_is_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let directory = files(&[("good.lic", &triad_file(port))]);
    let expected =
        format!("error: cannot listen on 127.0.0.1:{port}: the port is in use by another program\nhint: ");
    check(directory.path(), "serve --license good.lic --role primary --data d", 1, &expected);
}

#[test]
fn a_key_file_is_made_once() {
    let directory = tempfile::tempdir().unwrap();
    assert!(server(directory.path(), &["peer-key", "peer.key"]).status.success());
    let key = std::fs::read_to_string(directory.path().join("peer.key")).unwrap();
    assert_eq!(key.trim().len(), 64);
    check(
        directory.path(),
        "peer-key peer.key",
        1,
        "error: key file peer.key exists already and is left as it is\nhint: remove it first",
    );
    assert_eq!(std::fs::read_to_string(directory.path().join("peer.key")).unwrap(), key);
    let printed = server(directory.path(), &["peer-key"]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout).trim().len(), 64);
}

#[tokio::test]
async fn the_directory_of_another_server_is_refused() {
    let mut triad =
        LocalTriad::start(env!("CARGO_BIN_EXE_licensing-server"), TriadOptions::default()).await.unwrap();
    triad.wait_for_master().await.unwrap();
    for role in Role::ALL {
        assert!(triad.stop(role).await.unwrap().success(), "SIGTERM ends with 0");
    }
    let arguments = "serve --license triad.lic --role primary --data secondary";
    check(triad.directory(), arguments, 1, "error: data directory secondary belongs to the secondary …");
}
