//! Memory of processes, from `/proc`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use tokio::task::AbortHandle;
use tokio::time::interval;

/// Between two looks: a queue that fills for this long has grown by megabytes, and a look costs microseconds.
const PAUSE: Duration = Duration::from_millis(100);

/// Memory of a process that is not swapped out, in bytes; `None` when it has ended.
pub fn resident_bytes(process: u32) -> Option<u64> {
    resident(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The three processes of a triad, in the order of their roles.
pub fn processes(triad: &LocalTriad) -> Vec<(Role, u32)> {
    Role::ALL.into_iter().filter_map(|role| Some((role, triad.process_id(role)?))).collect()
}

/// Memory of one server before and at its most, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
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
    seen: Arc<Mutex<Vec<Memory>>>,
    task: AbortHandle,
}

impl MemoryWatch {
    /// Begins to look, every 100 ms.
    pub fn begin(triad: &LocalTriad) -> MemoryWatch {
        let processes = processes(triad);
        let look = |(role, process): &(Role, u32)| {
            let before = resident_bytes(*process).unwrap_or_default();
            Memory { role: *role, before, most: before }
        };
        let seen = Arc::new(Mutex::new(processes.iter().map(look).collect::<Vec<_>>()));
        let theirs = seen.clone();
        let task = tokio::spawn(async move {
            let mut pause = interval(PAUSE);
            loop {
                pause.tick().await;
                for (memory, (_, process)) in lock(&theirs).iter_mut().zip(&processes) {
                    memory.most = memory.most.max(resident_bytes(*process).unwrap_or_default());
                }
            }
        });
        MemoryWatch { seen, task: task.abort_handle() }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Vec<Memory> {
        lock(&self.seen).clone()
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Nothing can panic while the lock is held.
fn lock(seen: &Mutex<Vec<Memory>>) -> MutexGuard<'_, Vec<Memory>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_told_in_kibibytes() {
        assert_eq!(resident("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t   12 kB\n"), Some(12 << 10));
        assert_eq!(resident("Name:\tx\n"), None);
        assert!(resident_bytes(std::process::id()).unwrap() > 1 << 16);
    }
}
