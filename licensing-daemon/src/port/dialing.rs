//! The way to the other servers of the triad: by names, which lead somewhere also while no name service answers.

use std::path::Path;
use std::sync::Arc;

use licensing_client::names::Names;
use licensing_raft::Environment;
use licensing_raft::environment::TcpDialer;

/// In the data directory: where the other servers were reached last. Losing it costs nothing while names can be looked up.
const ADDRESSES: &str = "addresses";

/// The real world, in which the addresses of the others are kept in this data directory.
pub(crate) fn environment(data_dir: &Path) -> Environment {
    let names = Names::kept_in(data_dir.join(ADDRESSES));
    let dialer = TcpDialer(move |address: &licensing_raft::ServerAddress| {
        let (names, address) = (names.clone(), address.clone());
        async move { names.connect(&address).await }
    });
    Environment { dialer: Arc::new(dialer), ..Environment::default() }
}
