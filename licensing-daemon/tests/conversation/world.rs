//! The servers a conversation is held with: real ones on the loopback, with a data directory that is new.

use std::net::SocketAddr;
use std::time::Duration;

use licensing_core::id::Role;
use licensing_daemon::{DaemonConfig, LicenseFile};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::record::folder;
use crate::support::{TestServer, start_server, text, wait_until};
use crate::template::admin_key;

/// What the SERVER line of a single server says. Nobody listens there: clients are only told.
const SINGLE: &str = "SERVER 127.0.0.1 ANY 27000\n";

/// Which servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// A single server with room for so many clients.
    Single { connections: usize },
    /// The primary of a triad, which waits for another one. The tertiary never comes.
    Triad,
}

/// The servers of a conversation.
pub(crate) struct World {
    version: u16,
    pub(crate) directory: TempDir,
    server_lines: String,
    /// Of the servers that are not started yet.
    listeners: Vec<(Role, TcpListener)>,
    addresses: Vec<(Role, SocketAddr)>,
    running: Vec<TestServer>,
}

impl World {
    pub(crate) async fn new(version: u16, site: Site) -> World {
        let roles = if site == Site::Triad { &Role::ALL[..] } else { &Role::ALL[..1] };
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for role in roles {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push((*role, listener.local_addr().unwrap()));
            listeners.push((*role, listener));
        }
        let server_lines = match site {
            Site::Single { .. } => SINGLE.to_owned(),
            Site::Triad => addresses
                .iter()
                .map(|(_, address)| format!("SERVER 127.0.0.1 ANY {}\n", address.port()))
                .collect::<String>()
                .replacen('\n', " PRIMARY_IS_MASTER\n", 1),
        };
        let directory = tempfile::tempdir().unwrap();
        let mut world = World { version, directory, server_lines, listeners, addresses, running: Vec::new() };
        world.write_license("first.lic");
        let connections = if let Site::Single { connections } = site { connections } else { 100 };
        world.start(Role::Primary, connections).await;
        if site != Site::Triad {
            world.wait_until_it_says(Role::Primary, "(MASTER)").await;
        }
        world
    }

    pub(crate) fn address(&self, server: &str) -> SocketAddr {
        let named = self.addresses.iter().find(|(role, _)| role.name() == server);
        named.unwrap_or_else(|| panic!("there is no {server}")).1
    }

    pub(crate) fn ports(&self) -> impl Iterator<Item = (Role, u16)> + '_ {
        self.addresses.iter().map(|(role, address)| (*role, address.port()))
    }

    /// Makes happen what a line says.
    pub(crate) async fn act(&mut self, act: &str) {
        match act.strip_prefix("the license file is now ") {
            Some(name) => self.write_license(name),
            None if act == "the secondary starts and the primary is master" => {
                self.start(Role::Secondary, 100).await;
                self.wait_until_it_says(Role::Primary, "(MASTER)").await;
                self.wait_until_it_says(Role::Secondary, "master=127.0.0.1").await;
            }
            None => panic!("nobody knows how to do: {act}"),
        }
    }

    /// The record keeps what stands below the SERVER lines.
    fn write_license(&self, name: &str) {
        let rest = std::fs::read_to_string(folder(self.version).join(name)).unwrap();
        let text = format!("{}VENDOR demo\n{rest}", self.server_lines);
        std::fs::write(self.directory.path().join("demo.lic"), text).unwrap();
    }

    async fn start(&mut self, role: Role, connections: usize) {
        let place = self.listeners.iter().position(|(known, _)| *known == role).expect("it runs already");
        let (_, listener) = self.listeners.remove(place);
        let license = LicenseFile::read(&self.directory.path().join("demo.lic")).unwrap();
        let data = self.directory.path().join(role.name());
        let mut config = DaemonConfig::from_license(license, role, data).unwrap();
        config.admin_key = Some(admin_key());
        config.limits.connections = connections;
        // No machine is so slow that a session ends in the middle.
        config.node.session_grace = Duration::from_secs(600);
        // The triad is founded by two.
        config.node.force_bootstrap = role == Role::Primary && !config.node.is_single();
        self.running.push(start_server(role, config, listener).await);
    }

    async fn wait_until_it_says(&self, role: Role, word: &str) {
        let address = self.address(role.name());
        let says = async || text(address, "STATUS\r\n").await.contains(word).then_some(());
        wait_until(&format!("`{word}` from the {role}"), says).await;
    }
}
