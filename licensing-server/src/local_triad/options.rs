//! What a local triad is to be like.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use licensing_core::id::Role;

/// What one server is to be started with.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Start<'a> {
    /// Which of the three it is.
    pub role: Role,
    /// The license file that all read.
    pub license: &'a Path,
    /// Its data directory.
    pub data: &'a Path,
}

/// What the servers are to be like.
#[derive(Debug, Clone)]
pub struct TriadOptions {
    /// One server with one SERVER line, the primary, instead of three.
    pub single: bool,
    /// FEATURE and INCREMENT lines of vendor `demo`.
    pub features: String,
    /// PRIMARY_IS_MASTER on the first SERVER line.
    pub primary_is_master: bool,
    /// HEARTBEAT_INTERVAL on the first SERVER line: with 1 a silent leader is trusted for three seconds.
    pub heartbeat_interval: Option<u32>,
    /// How a program that is not `licensing-server` is told what it is to be. It serves on its port of the license file, on the
    /// loopback, and prints a line that begins with `ready ` once it does.
    pub call: Option<fn(Start<'_>) -> Vec<OsString>>,
    /// Further arguments of `licensing-server serve`, or of the other program.
    pub arguments: Vec<String>,
    /// Environment variables of the servers.
    pub environment: Vec<(String, String)>,
    /// Directory to put the temporary directory into, for tests on a certain file system.
    pub parent_directory: Option<PathBuf>,
    /// Ports on the SERVER lines, when something stands between clients and servers and forwards them. The servers
    /// listen on ports of their own then.
    pub public_ports: Option<[u16; 3]>,
    /// What the servers have each for itself, in the order of the roles.
    pub own: [OwnOptions; 3],
}

/// What one of the three servers has for itself.
#[derive(Debug, Clone, Default)]
pub struct OwnOptions {
    /// Further arguments of `licensing-server serve`, after those of all.
    pub arguments: Vec<String>,
    /// Environment variables, besides those of all.
    pub environment: Vec<(String, String)>,
    /// Its data directory; `None` for one beside the license file.
    pub data_directory: Option<PathBuf>,
}

impl Default for TriadOptions {
    fn default() -> Self {
        TriadOptions {
            single: false,
            features: "FEATURE f1 demo 1.0 permanent 10 SIGN=0\nFEATURE f2 demo 2.5 31-dec-2099 3 SIGN=0\n"
                .to_owned(),
            primary_is_master: true,
            call: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            parent_directory: None,
            heartbeat_interval: None,
            public_ports: None,
            own: Default::default(),
        }
    }
}
