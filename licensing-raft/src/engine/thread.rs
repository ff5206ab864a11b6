//! The thread a node lives on. Whatever the program around it does with its own threads, heartbeats are sent and peers are
//! answered in time.

use std::io;

use licensing_core::id::Role;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A thread with a runtime of its own. Dropped, it ends everything that runs there where it stands.
#[derive(Debug)]
pub(crate) struct NodeThread {
    handle: Handle,
    /// The thread ends when this is dropped.
    _end: oneshot::Sender<()>,
}

impl NodeThread {
    /// Starts the thread of a server.
    pub(crate) fn start(role: Role) -> io::Result<NodeThread> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name(format!("node {role}")).spawn(move || {
            // An error is the end: nothing is ever sent.
            let _ = runtime.block_on(ended);
        })?;
        Ok(NodeThread { handle, _end: end })
    }

    /// Where to start what is to run there.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}
