//! Putting a daemon together, step by step: a license file, which server this is, where its data goes, and what the program
//! adds of its own.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use licensing_client::AdminKey;
use licensing_client::license_file::LicenseFile;
use licensing_core::id::Role;
use licensing_raft::{NodeConfig, PeerKey, StartError};
use tokio::net::TcpListener;

use crate::config::{DaemonConfig, Limits};
use crate::daemon::{Daemon, RunError};
use crate::port::door::{Caller, Door};
use crate::port::opening::taken_by;
use crate::rights::judge::{Asked, Judge};

/// A daemon before it is started; see [`Daemon::builder`].
#[derive(Debug)]
#[must_use = "a daemon serves nobody before it is started"]
pub struct DaemonBuilder {
    licenses: Vec<LicenseFile>,
    role: Option<Role>,
    data: Option<PathBuf>,
    change: DaemonChanges,
}

/// What differs from what the license file says.
#[derive(Debug, Default)]
struct DaemonChanges {
    peer_key: Option<PeerKey>,
    admin_key: Option<AdminKey>,
    session_grace: Option<Duration>,
    limits: Option<Limits>,
    doors: Vec<Door>,
    rights: Option<Judge>,
    settings: Option<Settings>,
}

/// The program's own word on a configuration.
struct Settings(Box<dyn FnOnce(&mut NodeConfig) + Send>);

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settings")
    }
}

impl Daemon {
    /// A daemon for this license file, to be told the rest.
    pub fn builder(license: LicenseFile) -> DaemonBuilder {
        DaemonBuilder::new(license)
    }
}

impl DaemonBuilder {
    fn new(license: LicenseFile) -> DaemonBuilder {
        DaemonBuilder { licenses: vec![license], role: None, data: None, change: DaemonChanges::default() }
    }

    /// Which of the three this is. Not needed where the license names one server.
    pub fn role(self, role: Role) -> DaemonBuilder {
        DaemonBuilder { role: Some(role), ..self }
    }

    /// The directory of this server's data; made when missing, and this server's alone.
    pub fn data(self, directory: impl Into<PathBuf>) -> DaemonBuilder {
        DaemonBuilder { data: Some(directory.into()), ..self }
    }

    /// What the three servers prove themselves with. Needed unless all are on one host.
    pub fn peer_key(mut self, key: PeerKey) -> DaemonBuilder {
        self.change.peer_key = Some(key);
        self
    }

    /// What administrators from elsewhere prove themselves with. Without it they must come from this host.
    pub fn admin_key(mut self, key: AdminKey) -> DaemonBuilder {
        self.change.admin_key = Some(key);
        self
    }

    /// How long a session lives without a sign of life; see [`crate::config::SESSION_GRACE`].
    pub fn session_grace(mut self, grace: Duration) -> DaemonBuilder {
        self.change.session_grace = Some(grace);
        self
    }

    /// How much this server takes on.
    pub fn limits(mut self, limits: Limits) -> DaemonBuilder {
        self.change.limits = Some(limits);
        self
    }

    /// The license of one more vendor, served by the same servers.
    pub fn license(mut self, license: LicenseFile) -> DaemonBuilder {
        self.licenses.push(license);
        self
    }

    /// Lets in connections that begin with four bytes of the program's own; `serve` gets each of them, behind those bytes,
    /// in a task of its own, which ends with the daemon. Each takes one of [`Limits::connections`], and is sent away when it
    /// says and takes nothing for [`IDLE_LIMIT`](crate::IDLE_LIMIT). A panic in it costs that one connection, and is logged.
    ///
    /// What blocks in it costs no mastership, for the node has a thread of its own. But it keeps the threads of this runtime:
    /// your other callers wait, and so does what stops the daemon.
    pub fn door<F>(
        mut self,
        preamble: [u8; 4],
        serve: impl Fn(Caller) -> F + Send + Sync + 'static,
    ) -> DaemonBuilder
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let serve = Arc::new(serve);
        let serve = Arc::new(move |caller| {
            let serve = serve.clone();
            // Also what it does before its first wait belongs to the connection.
            async move { serve(caller).await }.boxed()
        });
        self.change.doors.push(Door { preamble, serve });
        self
    }

    /// Changes whatever else the node is told, after all other words of this builder: timings, the log's length, the network.
    pub fn settings(mut self, change: impl FnOnce(&mut NodeConfig) + Send + 'static) -> DaemonBuilder {
        self.change.settings = Some(Settings(Box::new(change)));
        self
    }

    /// Decides who may do what an administrator does: `Some` is the decision, `None` leaves it to the rules of the house (from
    /// this host, or with the admin key). Is asked on the thread of a connection and must not block.
    pub fn rights(mut self, judge: impl Fn(&Asked) -> Option<bool> + Send + Sync + 'static) -> DaemonBuilder {
        self.change.rights = Some(Judge(Arc::new(judge)));
        self
    }

    /// Opens the store and joins the peers; clients are served in [`Daemon::run`]. `listener` is opened by the caller (see
    /// [`listen`](crate::listen)).
    ///
    /// # Errors
    ///
    /// Something is missing, cannot work, or the data directory cannot be used; see [`RunError`].
    pub async fn start(self, listener: TcpListener) -> Result<Daemon, RunError> {
        Daemon::start(self.config()?, listener).await
    }

    pub(crate) fn config(self) -> Result<DaemonConfig, RunError> {
        let mut licenses = self.licenses.into_iter();
        let first = licenses.next().ok_or(RunError::Missing { what: "a license file" })?;
        let is_single = first.license.servers.len() == 1;
        let role = self.role.or(is_single.then_some(Role::Primary));
        let role = role.ok_or(RunError::Missing { what: "the role of this server" })?;
        let data = self.data.ok_or(RunError::Missing { what: "a directory for its data" })?;
        let mut config = DaemonConfig::from_license(first, role, data).map_err(StartError::from)?;
        config.licenses.extend(licenses);
        check_vendors(&config.licenses)?;
        let change = self.change;
        for Door { preamble, .. } in &change.doors {
            let twice = change.doors.iter().filter(|door| door.preamble == *preamble).count() > 1;
            if let Some(whose) = taken_by(*preamble).or(twice.then_some("another door")) {
                return Err(RunError::Door { preamble: preamble.escape_ascii().to_string(), whose });
            }
        }
        config.node.peer_key = change.peer_key;
        config.admin_key = change.admin_key;
        config.node.session_grace = change.session_grace.unwrap_or(config.node.session_grace);
        config.limits = change.limits.unwrap_or(config.limits);
        (config.doors, config.rights) = (change.doors, change.rights);
        if let Some(Settings(change)) = change.settings {
            change(&mut config.node);
        }
        Ok(config)
    }
}

/// Two files of a vendor would take turns at every reread.
fn check_vendors(files: &[LicenseFile]) -> Result<(), RunError> {
    for (place, file) in files.iter().enumerate() {
        if let Some(other) = files[..place].iter().find(|other| other.vendor() == file.vendor()) {
            return Err(RunError::SameVendor {
                vendor: file.vendor().to_owned(),
                paths: [other.path.clone(), file.path.clone()],
            });
        }
    }
    Ok(())
}
