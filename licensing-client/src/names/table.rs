//! What is known of each host.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::debug;

use super::kept;

/// Hosts kept: a search path names a few sites of three servers each. The one that was needed longest ago goes.
const MAX_HOSTS: usize = 64;

/// Addresses kept of a host: more than any server has networks.
const MAX_ADDRESSES: usize = 8;

/// A name is looked up so often at most, however often its host is dialed.
const LOOK_UP_PAUSE: Duration = Duration::from_secs(1);

/// What a look-up has come to; `None` while it is under way.
pub(super) type Found = Option<Result<Vec<IpAddr>, String>>;

/// See the module.
#[derive(Default)]
pub(super) struct Table {
    hosts: Mutex<Vec<Host>>,
    file: Option<PathBuf>,
}

#[derive(Default)]
struct Host {
    name: String,
    /// What the last look-up that succeeded gave.
    found: Vec<IpAddr>,
    /// The address that worked last.
    reached: Option<IpAddr>,
    look_up: Option<(Instant, watch::Receiver<Found>)>,
}

impl Host {
    /// What the name service said last comes first.
    fn known(&self) -> Vec<IpAddr> {
        let reached = self.reached.filter(|reached| !self.found.contains(reached));
        self.found.iter().copied().chain(reached).collect()
    }
}

impl Table {
    pub(super) fn kept_in(file: PathBuf) -> Table {
        let kept = kept::read(&file).into_iter().take(MAX_HOSTS);
        let hosts = kept.map(|(name, reached)| Host { name, reached: Some(reached), ..Host::default() });
        Table { hosts: Mutex::new(hosts.collect()), file: Some(file) }
    }

    pub(super) fn known(&self, host: &str) -> Vec<IpAddr> {
        let hosts = self.lock();
        hosts.iter().find(|known| known.name == host).map(Host::known).unwrap_or_default()
    }

    /// A connection was made to this address. Written down when it is news.
    pub(super) fn reached(&self, host: &str, address: IpAddr) {
        let mut hosts = self.lock();
        let known = host_of(&mut hosts, host);
        if known.reached.replace(address) == Some(address) {
            return;
        }
        let Some(file) = &self.file else { return };
        let reached = hosts.iter().filter_map(|host| Some((host.name.as_str(), host.reached?)));
        if let Err(error) = kept::write(file, reached) {
            debug!("cannot keep the addresses of servers in {}: {error}", file.display());
        }
    }

    /// What a look-up gave. One that failed changes nothing.
    pub(super) fn looked_up(&self, host: &str, found: &Result<Vec<IpAddr>, String>) {
        match found {
            Ok(addresses) => {
                let addresses = addresses.iter().copied().take(MAX_ADDRESSES).collect();
                host_of(&mut self.lock(), host).found = addresses;
            }
            Err(why) => debug!(host, "the name cannot be looked up: {why}"),
        }
    }

    /// The look-up of this host that is under way or has just ended, or one that `begin` begins.
    pub(super) fn under_way(
        &self,
        host: &str,
        begin: impl FnOnce(watch::Sender<Found>),
    ) -> watch::Receiver<Found> {
        let mut hosts = self.lock();
        let known = host_of(&mut hosts, host);
        if let Some((begun, look_up)) = &known.look_up {
            let is_under_way = look_up.borrow().is_none() && look_up.has_changed().is_ok();
            if is_under_way || begun.elapsed() < LOOK_UP_PAUSE && !known.known().is_empty() {
                return look_up.clone();
            }
        }
        let (sender, look_up) = watch::channel(None);
        known.look_up = Some((Instant::now(), look_up.clone()));
        drop(hosts);
        begin(sender);
        look_up
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The host, as the one that was needed last.
fn host_of<'a>(hosts: &'a mut Vec<Host>, name: &str) -> &'a mut Host {
    let host = match hosts.iter().position(|host| host.name == name) {
        Some(place) => hosts.remove(place),
        None => Host { name: name.to_owned(), ..Host::default() },
    };
    hosts.truncate(MAX_HOSTS - 1);
    hosts.insert(0, host);
    &mut hosts[0]
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn of_too_many_hosts_the_one_needed_longest_ago_is_forgotten() {
        let table = Table::default();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for number in 0..MAX_HOSTS {
            table.reached(&format!("host{number}"), address);
        }
        table.reached("host0", address);
        table.reached("one more", address);
        assert_eq!([table.known("host0").len(), table.known("host1").len()], [1, 0]);
        assert_eq!(table.lock().len(), MAX_HOSTS);
    }

    #[test]
    fn a_look_up_is_begun_once_and_again_when_it_is_old_or_gave_nothing() {
        let table = Table::default();
        let begun = std::cell::Cell::new(0);
        let sender = std::cell::RefCell::new(None);
        let ask = || {
            table.under_way("pat", |way| {
                begun.set(begun.get() + 1);
                sender.replace(Some(way));
            })
        };
        ask();
        ask();
        assert_eq!(begun.get(), 1);
        // The thread could not be begun, or failed: nothing is known, the next one asks at once.
        sender.replace(None);
        ask();
        assert_eq!(begun.get(), 2);
        let found = Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        table.looked_up("pat", &found);
        let way = sender.replace(None).unwrap();
        way.send(Some(found)).unwrap();
        ask();
        assert_eq!(begun.get(), 2);
    }
}
