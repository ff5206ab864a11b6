//! Open files: ten thousand connections need ten thousand of them, and the usual limit is 1024.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process needs besides its connections: standard streams, libraries, the runtime, a store.
const OTHER_FILES: u64 = 256;

/// Raises the limit of this process, and so of the servers it starts, as far as so many connections of the clients and
/// as many of one server need.
///
/// Fails with what to do when that is not allowed.
pub fn allow_connections(connections: usize) -> anyhow::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = wanted(connections as u64);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(maximum.map_or(wanted, |most| most.min(wanted))), maximum };
    if maximum.is_some_and(|most| most < wanted) || setrlimit(Resource::Nofile, raised).is_err() {
        let most = maximum.unwrap_or_default();
        bail!(
            "{connections} connections need {wanted} open files and {most} are allowed: as root, ulimit -Hn {wanted} \
             before the command, or ask for fewer sessions"
        );
    }
    Ok(())
}

/// A server that may not open as many files as it would like keeps three quarters of them for clients, the rest for
/// connections that have not said yet what they are.
fn wanted(connections: u64) -> u64 {
    (connections * 4).div_ceil(3) + OTHER_FILES * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_quarters_of_the_files_are_enough_for_the_connections() {
        for connections in [1, 1000, 10_000] {
            assert!((wanted(connections) - OTHER_FILES) / 4 * 3 >= connections, "{connections}");
        }
    }
}
