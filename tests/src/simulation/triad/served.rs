//! The reference server as a service under test: real nodes, the real client port, the real client library. Only
//! sockets, disks and clocks are the simulation's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use licensing_client::protocol::Upgrade;
use licensing_core::edition::{Edition, UnknownEdition};
use licensing_core::id::{Role, Seats};
use licensing_core::license::License;
use licensing_daemon::testing::SimulatedServer;
use licensing_daemon::{DaemonConfig, LicenseFile};
use licensing_raft::NodeConfig;

use super::client::TriadClient;
use super::dialing::OPERATOR;
use super::parts::{Server, Triad};
use super::{duplicates, licenses, operator, relicensing, sceptics, strangers};
use crate::history::{Later, Line};
use crate::simulation::host::Host;
use crate::simulation::network::{End, Incoming};
use crate::simulation::nodes;
use crate::simulation::nodes::client::HouseClient;
use crate::simulation::service::{Servers, Service, Shown, Site};
use crate::simulation::versions;

/// How long all servers must have known a newer edition before it applies: shorter than a run, longer than most troubles.
const UPGRADE_AFTER: Duration = Duration::from_secs(5);

impl Service for Triad {
    type Server = Server;
    type Client = TriadClient;

    fn roles(&self) -> &'static [Role] {
        self.kind.roles()
    }

    fn licensed(&self) -> BTreeMap<String, Seats> {
        licenses::licensed()
    }

    fn later(&self) -> BTreeMap<String, Later> {
        licenses::later()
    }

    fn has_versions(&self) -> bool {
        self.kind.has_versions()
    }

    fn keeps_data(&self) -> bool {
        true
    }

    fn gives_back(&self) -> bool {
        true
    }

    fn dated(&self) -> BTreeMap<String, Vec<Line>> {
        licenses::dated()
    }

    fn asks_all(&self) -> bool {
        true
    }

    async fn start(&self, host: &Host) -> Result<Server, String> {
        // A server of the version before has one vendor's file: it knows of no more.
        let first = file("demo.lic", licenses::first(self.kind, 1, licenses::AT_FIRST));
        let mut node_config =
            NodeConfig::from_license(&first.license, host.role(), "memory").expect("the license has servers");
        let mut files = vec![first];
        if host.is_older() {
            node_config.known_edition = Edition::FIRST;
        } else {
            files.push(file("zeta.lic", licenses::second(self.kind)));
        }
        node_config.upgrade_after = UPGRADE_AFTER;
        nodes::hasten(&mut node_config, host);
        let node = host.start_node(node_config.clone()).await?;
        let mut config = DaemonConfig::new(node_config, files);
        let random = host.random("pages");
        (config.limits.page_rows, config.limits.page_bytes) =
            (1 + random.below(5) as usize, random.below(2_000) as usize);
        let simulated = SimulatedServer::new(node, &config);
        host.spawn(simulated.follow());
        let (serving, at) = (simulated.clone(), host.clone());
        let listener = move |Incoming { stream, from, seen }: Incoming| {
            let seen = if matches!(from, End::Server(_)) { seen } else { address_of(from) };
            at.spawn(serving.serve(stream, seen));
        };
        host.network().listen(host.role(), Arc::new(listener));
        self.watch().begins(host);
        Ok(Server { simulated })
    }

    async fn crash(&self, server: &Server) {
        server.node().crash().await;
    }

    async fn stop(&self, server: &Server) {
        server.node().stop(true).await;
        server.simulated.close_connections();
    }

    async fn client(&self, site: &Arc<Site<Triad>>, number: u32) -> Option<TriadClient> {
        TriadClient::connect(site, number).await
    }

    fn grace(&self) -> Option<Duration> {
        Some(nodes::GRACE)
    }

    fn show(&self, server: &Server) -> Option<Shown> {
        let named = |vendor: &str, feature: &str| licenses::name_of(vendor, feature).map(str::to_owned);
        Some(server.node().look(|state| nodes::show(state, named)))
    }

    fn master(&self, servers: &Servers<Triad>) -> Option<Role> {
        nodes::master(servers)
    }

    fn can_spare_one(&self, servers: &Servers<Triad>) -> bool {
        nodes::can_spare_one(self.kind.roles(), servers)
    }

    fn failure(&self, server: &Server) -> Option<String> {
        server.node().failure().borrow().clone()
    }

    fn settled(&self, servers: &Servers<Triad>) -> Result<(), String> {
        nodes::settled(self.kind.roles(), servers)
    }

    async fn agree(&self, site: &Site<Triad>) {
        operator::decide(site, Upgrade::Finish).await;
    }

    fn may_stop(&self, site: &Site<Triad>, role: Role, why: &str) -> bool {
        let (needed, known) = (Edition::NEWEST, Edition::FIRST);
        let is_too_old = why.contains(&UnknownEdition { needed, known }.to_string());
        if !is_too_old || !site.host(role).is_older() {
            return false;
        }
        let mut watch = self.watch();
        watch.editions(site);
        if watch.edition < needed {
            // Whoever applied it may have died before anybody looked.
            watch.stopped_early.push(format!("the {role} at {} us", site.recorder.now_us()));
        }
        true
    }

    fn end(&self, site: &Site<Triad>) {
        self.watch().end(site);
    }

    fn look(&self, site: &Site<Triad>) {
        self.watch().look(site);
        self.counting.look(site);
        self.days.look(site);
    }

    async fn attend(&self, site: Arc<Site<Triad>>) {
        tokio::join!(
            operator::work(&site),
            duplicates::send(&site),
            sceptics::work(&site),
            relicensing::work(&site),
            strangers::work(&site)
        );
    }

    async fn heal(&self, site: &Site<Triad>) {
        self.undone.look(site);
        operator::undo(site).await;
        let random = site.random("last versions");
        // Otherwise the run ends in the middle of an upgrade.
        if self.kind.has_versions() && random.chance(60) {
            versions::upgrade_all(site, &random).await;
            operator::finish_upgrade(site).await;
        }
    }
}

/// A license file of a server.
fn file(path: &str, text: String) -> LicenseFile {
    let license = License::parse(&text).expect("a license of the simulation");
    LicenseFile { path: path.into(), text, license, options: None }
}

/// The operator is on the servers' machine as far as rights go.
pub(super) fn address_of(end: End) -> SocketAddr {
    match end {
        End::Client(OPERATOR) => HouseClient::address_of(End::Server(Role::Primary)),
        other => HouseClient::address_of(other),
    }
}
