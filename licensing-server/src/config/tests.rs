//! Configurations that work and such that do not, each with its clear error.

use super::host::names_this_host;
use super::*;
use std::path::Path;

const FEATURES: &str = "VENDOR demo\nFEATURE f1 demo 1.0 permanent 10 SIGN=0\n";

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new(license: &str) -> Files {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.lic"), license).unwrap();
        Files { directory }
    }

    fn options(&self) -> ServeOptions {
        ServeOptions {
            licenses: vec![self.directory.path().join("a.lic")],
            role: Some(Role::Primary),
            data_dir: self.directory.path().join("data"),
            profile: Profile::Default,
            session_grace: None,
            peer_addresses: Vec::new(),
            peer_key: None,
            admin_key: None,
            force_bootstrap: false,
        }
    }

    fn error(&self, options: &ServeOptions) -> String {
        let error = load(options).unwrap_err().to_string();
        error.replace(&self.directory.path().display().to_string(), "DIR")
    }
}

fn triad(host: &str, keywords: &str) -> String {
    format!(
        "SERVER {host} ANY 27001 {keywords}\nSERVER 127.0.0.1 ANY 27002\nSERVER 127.0.0.1 ANY 27003\n{FEATURES}"
    )
}

#[test]
fn a_triad_on_the_loopback_needs_no_key() {
    let files = Files::new(&triad("127.0.0.1", "PRIMARY_IS_MASTER"));
    let config = load(&files.options()).unwrap();
    assert!(config.node.primary_is_master);
    assert_eq!(config.node.timings, Timings::default());
    assert_eq!(config.node.session_grace, licensing_daemon::config::SESSION_GRACE);
    assert_eq!(default_listen(&config), ["127.0.0.1:27001".parse().unwrap()]);
    assert!(config.warnings.iter().any(|warning| warning.contains("no --peer-key")), "{:?}", config.warnings);
}

#[test]
fn other_hosts_need_a_key() {
    let files = Files::new(&triad("pat", ""));
    let error = files.error(&files.options());
    assert!(error.contains("(pat)") && error.contains("licensing-server peer-key"), "{error}");

    let key = files.directory.path().join("peer.key");
    key_file::write_new(&key, &PeerKey::generate().unwrap().to_hex()).unwrap();
    let config = load(&ServeOptions { peer_key: Some(key), ..files.options() }).unwrap();
    assert!(config.node.peer_key.is_some());
    assert_eq!(default_listen(&config), ["[::]:27001".parse().unwrap(), "0.0.0.0:27001".parse().unwrap()]);
}

#[test]
fn a_peer_is_reached_where_its_server_line_does_not_say() {
    let files = Files::new(&triad("127.0.0.1", ""));
    let reached_at = |role, address: &str| ServeOptions {
        peer_addresses: vec![(role, address.parse().unwrap())],
        ..files.options()
    };
    let config = load(&reached_at(Role::Secondary, "28002@127.0.0.1")).unwrap();
    assert_eq!(
        config.node.servers.iter().map(|server| server.port).collect::<Vec<_>>(),
        [27001, 28002, 27003]
    );
    assert_eq!(config.addresses.iter().map(|server| server.port).collect::<Vec<_>>(), [27001, 27002, 27003]);
    // A peer on another host must prove itself, whatever its SERVER line says.
    let error = files.error(&reached_at(Role::Secondary, "28002@10.0.0.2"));
    assert!(error.contains("(10.0.0.2)") && error.contains("licensing-server peer-key"), "{error}");
    let error = files.error(&reached_at(Role::Primary, "28001@127.0.0.1"));
    assert!(error.starts_with("--peer-address primary=… names this server itself"), "{error}");
}

#[test]
fn the_heartbeat_interval_sets_timings_and_grace() {
    let files = Files::new(&triad("localhost", "HEARTBEAT_INTERVAL=20"));
    let config = load(&ServeOptions { profile: Profile::Fast, ..files.options() }).unwrap();
    assert_eq!(config.node.timings.lease_ms, 79_000);
    assert_eq!(config.node.session_grace, Duration::from_secs(158));
    assert!(config.warnings.iter().any(|warning| warning.contains("HEARTBEAT_INTERVAL=20")));
}

#[test]
fn the_fast_profile_is_faster() {
    let files = Files::new(&triad("localhost", ""));
    let config = load(&ServeOptions { profile: Profile::Fast, ..files.options() }).unwrap();
    assert_eq!(config.node.timings, Timings::fast());
}

#[test]
fn a_file_without_servers_is_refused() {
    let files = Files::new("VENDOR demo\nFEATURE f1 demo 1.0 permanent uncounted HOSTID=ANY SIGN=0\n");
    let error = files.error(&ServeOptions { role: None, ..files.options() });
    let says = "the license file has 0 SERVER lines, write one for a single server or three for a triad";
    assert_eq!(error, format!("DIR/a.lic: {says}"));
}

#[test]
fn three_lines_with_the_same_host_leave_the_role_open() {
    let files = Files::new(&triad("127.0.0.1", ""));
    let error = files.error(&ServeOptions { role: None, ..files.options() });
    assert!(error.starts_with("3 SERVER lines name this host (") && error.contains("--role"), "{error}");
}

#[test]
fn the_role_is_found_by_name() {
    for (line, own, is_own) in [
        ("pat", "pat", true),
        ("PAT", "pat", true),
        ("pat.example.com", "pat", true),
        ("pat", "pat.example.com", true),
        ("pat.example.com", "pat.example.org", false),
        ("lee", "pat", false),
        ("127.0.0.1", "pat", true),
        ("192.0.2.1", "pat", false),
    ] {
        assert_eq!(names_this_host(line, own), is_own, "{line} on {own}");
    }
}

#[test]
fn a_missing_license_or_key_is_named() {
    let files = Files::new(&triad("127.0.0.1", ""));
    let missing = ServeOptions { licenses: vec![files.directory.path().join("b.lic")], ..files.options() };
    assert!(files.error(&missing).starts_with("cannot read license file DIR/b.lic: "));
    let missing = ServeOptions { admin_key: Some(Path::new("/nowhere.key").to_owned()), ..files.options() };
    assert!(files.error(&missing).starts_with("cannot read key file /nowhere.key: "));
}

#[test]
fn a_single_server_needs_no_key_no_role_and_no_port() {
    let files = Files::new(&format!("SERVER this_host ANY\n{FEATURES}"));
    let options = ServeOptions { role: None, ..files.options() };
    let mut config = load(&options).unwrap();
    assert!(config.node.is_single());
    assert_eq!(config.node.role, Role::Primary);
    let ports: Vec<u16> = default_listen(&config).iter().map(SocketAddr::port).collect();
    assert_eq!((ports.first(), ports.last()), (Some(&27000), Some(&27009)));
    took_port(&mut config, 27003);
    assert_eq!(config.addresses[0].port, 27003);
    assert_ne!(config.addresses[0].host, "this_host");
    let wrong = ServeOptions { role: Some(Role::Secondary), ..files.options() };
    let error = files.error(&wrong);
    assert!(error.contains("a single server cannot be the secondary"), "{error}");
}

#[test]
fn files_of_several_vendors_are_served_together_when_they_are_for_the_same_servers() {
    let files = Files::new(&triad("127.0.0.1", ""));
    let second = files.directory.path().join("b.lic");
    let other = triad("127.0.0.1", "").replace("demo", "acme");
    let options = ServeOptions {
        licenses: [files.options().licenses, vec![second.clone()]].concat(),
        ..files.options()
    };
    std::fs::write(&second, &other).unwrap();
    assert_eq!(load(&options).unwrap().licenses.len(), 2);
    std::fs::write(&second, other.replacen(" ANY ", " ID=5 ", 1)).unwrap();
    assert!(files.error(&options).contains("one is for host ids any, any, any, the other for"));
    std::fs::write(&second, triad("127.0.0.1", "")).unwrap();
    assert_eq!(
        files.error(&options),
        "DIR/a.lic and DIR/b.lic cannot be served together: both are of vendor demo"
    );
}
