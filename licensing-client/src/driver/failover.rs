//! Finding and losing the master: what the driver does with its connection when mastership moves.

use std::time::Duration;

use tokio::time::Instant;

use super::seek::{Known, MAX_CANDIDATES, Manner, Seek};
use super::{Driver, Link};
use crate::connection::Connection;
use crate::event::ClientEvent;
use crate::protocol::{ServerStatus, Whereabouts};
use crate::search_path::ServerAddress;

impl Driver {
    /// What the connected server says about who is master.
    pub(super) fn whereabouts(&mut self, whereabouts: Whereabouts, reason: &str) {
        let Some(link) = &mut self.link else { return };
        if whereabouts.is_master() {
            if link.listening.take().is_some() {
                self.seek = None;
                self.session.resume();
                self.session.probe();
                self.confirmed();
            }
            return;
        }
        let trusted = link.confirmed;
        if link.is_serving() {
            link.listening = Some(Instant::now());
            self.session.suspend();
            self.disconnected(format!("{}: {reason}", self.server_name()));
        }
        if self.dialer.hello.relay {
            // The way to the new master begins at the same address.
            return self.lose_link(reason.to_owned());
        }
        if self.seek.is_none() {
            let begin = self.begin_after_rest(trusted);
            self.begin_seek(Manner::AtOnce, begin, None);
        }
        if let (Some(seek), Some(master)) = (&mut self.seek, &whereabouts.master)
            && trusted
        {
            seek.hint(master);
        }
    }

    pub(super) fn found(&mut self, connection: Connection) {
        if self.link.as_ref().is_some_and(Link::is_serving) {
            let reason = format!("{} is silent and another server is master", self.server_name());
            self.disconnected(reason);
            self.watch.moved();
        }
        self.seek = None;
        let ready = connection.ready();
        let proof = self.admin_key.as_ref().map(|key| key.proof(&ready.challenge));
        self.session.connected(self.start.elapsed(), ready.heartbeat, proof);
        self.session.server_knows(ready.known_edition);
        // With fewer than three names the others are asked for, to know them when this server is gone.
        if self.sites[self.site].len() < 3 && !self.dialer.hello.relay {
            self.session.ask_servers();
        }
        let link = Link { connection, listening: None, confirmed: false };
        self.server.send_replace(Some(link.connection.server().clone()));
        self.remember(link.known());
        self.link = Some(link);
    }

    pub(super) fn lose_link(&mut self, reason: String) {
        let Some(link) = self.link.take() else { return };
        let address = link.connection.server().clone();
        if link.is_serving() {
            self.disconnected(reason);
        }
        self.session.disconnected(self.now());
        if self.session.is_over() {
            return;
        }
        let begin = self.begin_after_rest(link.confirmed);
        match &mut self.seek {
            Some(seek) => seek.add_lost(begin),
            None => self.begin_seek(Manner::AtOnce, begin, Some(&address)),
        }
    }

    /// At once after a connection that was of use, else after a pause that grows.
    fn begin_after_rest(&mut self, was_of_use: bool) -> Instant {
        Instant::now() + if was_of_use { Duration::ZERO } else { self.rest.take() }
    }

    /// There is no master to talk to from now on.
    fn disconnected(&mut self, reason: String) {
        let since = self.session.silent_since().and_then(|since| self.start.checked_add(since));
        self.gap_since.get_or_insert(since.unwrap_or_else(Instant::now));
        self.server.send_replace(None);
        if self.opened.is_none() {
            self.tell(ClientEvent::Disconnected { reason });
        }
    }

    /// Looks for a master among the site's servers other than the connected one.
    pub(super) fn begin_seek(&mut self, manner: Manner, begin: Instant, suspect: Option<&ServerAddress>) {
        let connected = self.link.as_ref().map(|link| link.known());
        let servers = &self.sites[self.site];
        self.seek = Some(Seek::new(self.dialer.clone(), servers, manner, begin, connected, suspect));
    }

    /// Before the session exists, any site will do.
    pub(super) fn may_rotate(&self) -> bool {
        self.sites.len() > 1 && self.link.is_none() && self.session.is_opening()
    }

    pub(super) fn next_site(&mut self) {
        self.site = (self.site + 1) % self.sites.len();
        // A round over all sites is followed by a pause.
        let begin = if self.site == 0 { self.begin_after_rest(false) } else { Instant::now() };
        self.begin_seek(Manner::InOrder, begin, None);
    }

    pub(super) fn learn(&mut self, servers: &[ServerStatus]) {
        let own = self.link.as_ref().map(|link| link.connection.ready().whereabouts.role);
        for server in servers.iter().filter(|server| Some(server.role) != own) {
            let address = ServerAddress::new(server.host.clone(), server.port);
            self.remember(Known { address, role: Some(server.role) });
        }
    }

    fn remember(&mut self, known: Known) {
        let site = &mut self.sites[self.site];
        if let Some(same) = site.iter_mut().find(|same| same.address == known.address) {
            same.role = known.role;
        } else if site.len() < MAX_CANDIDATES {
            site.push(known);
        }
    }

    pub(super) fn server_name(&self) -> String {
        self.link.as_ref().map(|link| link.connection.server().to_string()).unwrap_or_default()
    }
}
