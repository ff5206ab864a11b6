//! Dependencies point one way: tests, benches → server → daemon, admin; daemon → raft, client; admin → client; raft,
//! client → core → formats. Read from what cargo resolves, so that a dependency added by way of another crate is seen too.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Names of the packages that each package needs to run, directly or not.
fn needs() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    // Only this machine's packages: those of other platforms may never have been downloaded.
    let host = run("rustc", &["-vV"]);
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let arguments = ["metadata", "--format-version=1", "--offline", "--filter-platform", host];
    let printed = run(env!("CARGO"), &[&arguments[..], &["--manifest-path", manifest]].concat());
    let metadata: Value = serde_json::from_str(&printed).expect("cargo prints JSON");
    let name_of: BTreeMap<&str, &str> =
        list(&metadata["packages"]).map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let direct: BTreeMap<&str, Vec<&str>> = list(&metadata["resolve"]["nodes"])
        .map(|node| {
            let at_run_time = list(&node["deps"])
                .filter(|dependency| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null()));
            (text(&node["id"]), at_run_time.map(|dependency| text(&dependency["pkg"])).collect())
        })
        .collect();
    let reach = |start: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(next) = open.pop() {
            for dependency in &direct[next] {
                if seen.insert(name_of[dependency].to_owned()) {
                    open.push(dependency);
                }
            }
        }
        seen
    };
    list(&metadata["workspace_members"]).map(|id| (name_of[text(id)].to_owned(), reach(text(id)))).collect()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn dependencies_point_one_way() {
    let needs = needs();
    for (package, forbidden) in [
        (
            "licensing-formats",
            vec!["licensing-core", "licensing-client", "licensing-raft", "tokio", "bincode"],
        ),
        (
            "licensing-core",
            vec![
                "licensing-raft",
                "licensing-client",
                "licensing-daemon",
                "licensing-admin",
                "licensing-server",
                "tokio",
                "openraft",
                "sled",
            ],
        ),
        (
            "licensing-client",
            vec![
                "licensing-raft",
                "licensing-daemon",
                "licensing-admin",
                "licensing-server",
                "openraft",
                "sled",
                "clap",
            ],
        ),
        (
            "licensing-raft",
            vec!["licensing-client", "licensing-daemon", "licensing-admin", "licensing-server"],
        ),
        ("licensing-daemon", vec!["licensing-admin", "licensing-server", "clap", "hyper", "tokio-postgres"]),
        (
            "licensing-admin",
            vec![
                "licensing-raft",
                "licensing-daemon",
                "licensing-server",
                "openraft",
                "sled",
                "hyper",
                "rustls",
                "tokio-postgres",
            ],
        ),
        ("licensing-server", vec!["licensing-benches", "licensing-tests"]),
    ] {
        let needed = needs.get(package).unwrap_or_else(|| panic!("no package {package}"));
        for name in forbidden {
            assert!(!needed.contains(name), "{package} must not depend on {name}");
        }
    }
    for (package, expected) in [
        ("licensing-core", vec!["licensing-formats"]),
        ("licensing-daemon", vec!["licensing-raft", "licensing-client", "licensing-core"]),
        ("licensing-admin", vec!["licensing-client", "licensing-core"]),
        ("licensing-server", vec!["licensing-daemon", "licensing-admin", "licensing-raft"]),
        ("licensing-tests", vec!["licensing-server", "licensing-raft", "licensing-core"]),
    ] {
        for name in expected {
            assert!(
                needs[package].contains(name),
                "{package} no longer depends on {name}: is this test blind?"
            );
        }
    }
}
