//! The most memory the servers take while something is going on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use tokio::task::AbortHandle;
use tokio::time::interval;

use crate::measure::memory::of_process;

/// Between two looks: a queue that fills for this long has grown by megabytes, and a look costs microseconds.
const PAUSE: Duration = Duration::from_millis(100);

/// The three processes of a triad, in the order of their roles.
pub fn processes(triad: &LocalTriad) -> Vec<(Role, u32)> {
    Role::ALL.into_iter().filter_map(|role| Some((role, triad.process_id(role)?))).collect()
}

/// Memory of one server before and at its most, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Whose.
    pub role: Role,
    /// When the watch began.
    pub before: u64,
    /// The most that was seen since.
    pub most: u64,
}

/// Looks at the servers until it is dropped.
#[derive(Debug)]
pub struct MemoryWatch {
    seen: Arc<Mutex<Vec<Most>>>,
    task: AbortHandle,
}

impl MemoryWatch {
    /// Begins to look, every 100 ms.
    pub fn begin(triad: &LocalTriad) -> MemoryWatch {
        let processes = processes(triad);
        let look = |(role, process): &(Role, u32)| {
            let before = of_process(*process).unwrap_or_default().resident_bytes;
            Most { role: *role, before, most: before }
        };
        let seen = Arc::new(Mutex::new(processes.iter().map(look).collect::<Vec<_>>()));
        let theirs = seen.clone();
        let task = tokio::spawn(async move {
            let mut pause = interval(PAUSE);
            loop {
                pause.tick().await;
                for (memory, (_, process)) in lock(&theirs).iter_mut().zip(&processes) {
                    memory.most = memory.most.max(of_process(*process).unwrap_or_default().resident_bytes);
                }
            }
        });
        MemoryWatch { seen, task: task.abort_handle() }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Vec<Most> {
        lock(&self.seen).clone()
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Nothing can panic while the lock is held.
fn lock(seen: &Mutex<Vec<Most>>) -> MutexGuard<'_, Vec<Most>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
