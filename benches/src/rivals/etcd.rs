//! Three etcd processes on the loopback with their data below the measured directory. Names, ports and directories are
//! ours, every other setting is etcd's default.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use licensing_server::local_triad::free_ports;
use tokio::time::{Instant, sleep};

use super::etcd_rpc::{Rpc, StatusResponse};
use super::process::{Ending, Home, Process, find_program};

/// How long a start or an election may take: many times the usual second or two.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at something that is expected to change: a fraction of what an election takes.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// Members, as we have servers.
const MEMBERS: usize = 3;

/// The program, when it is installed.
pub fn program() -> Option<PathBuf> {
    find_program("etcd")
}

/// Why it cannot be started here, and what helps.
pub fn missing() -> Option<String> {
    let nowhere = program().is_none();
    nowhere.then(|| "etcd is not on the PATH; on Debian: apt-get install etcd-server".to_owned())
}

/// Three members; dropping ends them.
#[derive(Debug)]
pub struct EtcdServers {
    members: [Option<Process>; MEMBERS],
    program: PathBuf,
    home: Home,
    doors: Doors,
    peer_ports: [u16; MEMBERS],
    /// What it says of itself.
    version: String,
}

/// Where the members answer clients.
#[derive(Debug, Clone, Copy)]
pub struct Doors([u16; MEMBERS]);

impl EtcdServers {
    /// Starts three below this directory and waits for their leader.
    pub async fn start(program: PathBuf, directory: &Path) -> anyhow::Result<EtcdServers> {
        let home = Home { directory: directory.join("etcd"), user: None };
        std::fs::create_dir_all(&home.directory).context("cannot make a directory for etcd")?;
        let held = free_ports::<{ 2 * MEMBERS }>().context("cannot find free ports for etcd")?;
        let ports = held.each_ref().map(|(port, _)| *port);
        let doors = Doors([ports[0], ports[1], ports[2]]);
        let peer_ports = [ports[3], ports[4], ports[5]];
        let members = [const { None }; MEMBERS];
        let mut servers = EtcdServers { members, program, home, doors, peer_ports, version: String::new() };
        drop(held);
        for place in 0..MEMBERS {
            servers.spawn(place)?;
        }
        let (_, status) = servers.wait_for_leader().await?;
        servers.version = status.version;
        Ok(servers)
    }

    /// `3.4.23`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where clients find them.
    pub fn doors(&self) -> Doors {
        self.doors
    }

    /// Names and process ids of those that run.
    pub fn processes(&self) -> Vec<(String, Vec<u32>)> {
        let running = self.members.iter().enumerate();
        running
            .filter_map(|(place, member)| Some((format!("etcd {}", place + 1), vec![member.as_ref()?.id()])))
            .collect()
    }

    /// Waits until a member leads; its place, and what it said.
    pub async fn wait_for_leader(&mut self) -> anyhow::Result<(usize, StatusResponse)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.doors.leader().await {
                return Ok(found);
            }
            self.check()?;
            if Instant::now() >= deadline {
                bail!("etcd has no leader after {} s:\n{}", PATIENCE.as_secs(), self.log_tails());
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    /// Kills a member with SIGKILL and reaps it.
    pub fn kill(&mut self, place: usize) {
        self.members[place] = None;
    }

    /// Starts a member again, on the same ports with the same data, and waits until it knows the leader.
    pub async fn restart(&mut self, place: usize) -> anyhow::Result<()> {
        self.spawn(place)?;
        let deadline = Instant::now() + PATIENCE;
        while self.doors.status(place).await.is_none_or(|status| status.leader == 0) {
            self.check()?;
            if Instant::now() >= deadline {
                bail!("etcd member {} did not come back:\n{}", place + 1, self.log_tails());
            }
            sleep(LOOK_PAUSE).await;
        }
        Ok(())
    }

    fn spawn(&mut self, place: usize) -> anyhow::Result<()> {
        let name = |place: usize| format!("member-{}", place + 1);
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let all = self.peer_ports.iter().enumerate();
        let cluster: Vec<String> =
            all.map(|(place, port)| format!("{}={}", name(place), url(*port))).collect();
        let (client, peer) = (url(self.doors.0[place]), url(self.peer_ports[place]));
        let data = self.home.directory.join(name(place));
        let mut command = self.home.command(&self.program, Ending::Kill);
        command.args(["--name", &name(place), "--data-dir"]).arg(data);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &cluster.join(",")]);
        let log = self.home.directory.join(name(place)).with_extension("log");
        self.members[place] = Some(Process::start(command, Ending::Kill, log)?);
        Ok(())
    }

    fn check(&mut self) -> anyhow::Result<()> {
        for (place, member) in self.members.iter_mut().enumerate() {
            member
                .as_mut()
                .map_or(Ok(()), Process::check)
                .with_context(|| format!("etcd member {}", place + 1))?;
        }
        Ok(())
    }

    fn log_tails(&self) -> String {
        let running = self.members.iter().flatten();
        running.map(Process::log_tail).collect::<Vec<_>>().join("\n---\n")
    }
}

impl Doors {
    /// A connection to the member that leads now.
    pub async fn connect(self) -> anyhow::Result<Rpc> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((place, _)) = self.leader().await {
                return Rpc::connect(self.0[place]).await;
            }
            if Instant::now() >= deadline {
                bail!("etcd has no leader after {} s", PATIENCE.as_secs());
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    /// The member that takes itself for the leader.
    async fn leader(self) -> Option<(usize, StatusResponse)> {
        for place in 0..MEMBERS {
            if let Some(status) = self.status(place).await
                && status.is_leader()
            {
                return Some((place, status));
            }
        }
        None
    }

    /// What a member says; `None` from one that is down.
    async fn status(self, place: usize) -> Option<StatusResponse> {
        Rpc::connect(self.0[place]).await.ok()?.status().await.ok()
    }
}
