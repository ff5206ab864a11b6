//! One server process. The property kept: it does not outlive the value.

use std::io::BufReader;
use std::process::{Child, ChildStdout};

/// A server process; dropping kills it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    /// Kept open: the server must not find its standard output closed.
    pub(super) stdout: Option<BufReader<ChildStdout>>,
    pub(super) paused: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a process that is gone and reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
