//! Claims about peace, when all troubles are over, and about rest, when the clients have stopped, too.

use licensing_core::id::Role;

use super::names::claim;
use super::{AroundNodes, HasNode};
use crate::simulation::service::Site;

/// After the clients were told to stop: until the last of them has its answers, and tasks of connections that ended have.
const COMES_TO_REST_US: u64 = 10_000_000;

/// What a node proposes by itself, the time and the ends of sessions, is decided in less.
const DECIDED_US: u64 = 1_000_000;

/// Tasks of a server of its own, besides one for each connection: it follows the mastership, and the harness does.
const OWN_TASKS: usize = 2;

/// Tasks of a node at rest, its engine's among them. A master of three has 27, a standby 23, a single server 15: half as many
/// again, so that one more loop of a node need not be told here.
const NODE_TASKS: usize = 40;

/// Connections of peers to a node: three lanes of two peers, each of which may have been dialed anew.
const PEER_TASKS: usize = 12;

/// What has been seen so far.
#[derive(Default)]
pub(crate) struct Rest {
    /// Who has served since there is peace.
    master: Option<Role>,
    /// When the clients were told to stop.
    stopped_us: Option<u64>,
    /// When each node had nothing under way.
    idle_us: [u64; 3],
}

impl Rest {
    /// All that is to be seen at one look; `serving`: who serves.
    pub(crate) fn look<S: AroundNodes>(&mut self, site: &Site<S>, serving: Option<Role>) {
        if !site.is_peace() {
            return;
        }
        let now_us = site.recorder.now_us();
        if self.master.is_some() && self.master != serving {
            let detail = format!("{:?}, then {serving:?} at {now_us} us", self.master);
            site.fail(claim::KEEPS_SERVING, detail);
        }
        self.master = serving;
        if *site.stop.borrow() {
            let stopped_us = *self.stopped_us.get_or_insert(now_us);
            if now_us - stopped_us > COMES_TO_REST_US {
                self.at_rest(site, now_us);
            }
        }
    }

    fn at_rest<S: AroundNodes>(&mut self, site: &Site<S>, now_us: u64) {
        for role in site.service.roles().iter().copied() {
            let Some(server) = &site.servers()[role.place()] else { continue };
            let node = server.node();
            let proposals = node.metrics().proposals;
            let idle_us = &mut self.idle_us[role.place()];
            if proposals == 0 || *idle_us == 0 {
                *idle_us = now_us;
            }
            let fail = |what: String| site.fail(claim::COMES_BACK, format!("the {role}: {what}"));
            if now_us - *idle_us > DECIDED_US {
                fail(format!("{proposals} proposals are under way"));
            }
            let (own, peers) = node.running_tasks();
            if own > NODE_TASKS || peers > PEER_TASKS {
                fail(format!("{own} tasks of the node, {peers} of its peers' connections"));
            }
            let tasks = site.host(role).running_tasks();
            if let Some(connections) = server.open_connections()
                && connections + OWN_TASKS > tasks
            {
                fail(format!("{connections} places of connections are taken, by {tasks} tasks"));
            }
        }
    }
}
