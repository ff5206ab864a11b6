//! A look at the disk while something is measured: a page is written and synced every few milliseconds, and the slowest
//! time tells whether a slow answer was the triad's doing or the disk's, which everybody on this machine shares.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two probes: often enough to meet every stall that a client would notice, and a small part of what the
/// servers themselves ask of the disk.
const PAUSE: Duration = Duration::from_millis(10);

/// A page.
const BLOCK: [u8; 4096] = [3; 4096];

/// Probes until it is dropped.
#[derive(Debug)]
pub struct DiskProbe {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    times: Mutex<Times>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Times {
    slowest: Duration,
    /// The probe under way.
    begun: Option<Instant>,
}

impl DiskProbe {
    /// Starts with a file of its own in this directory.
    pub fn start(directory: &Path) -> io::Result<DiskProbe> {
        let file = File::create(directory.join("probe"))?;
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread =
            std::thread::Builder::new().name("disk-probe".to_owned()).spawn(move || theirs.probe(&file))?;
        Ok(DiskProbe { shared, thread: Some(thread) })
    }

    /// Forgets what was. A probe that is under way counts from its beginning.
    pub fn begin(&self) {
        self.shared.times().slowest = Duration::ZERO;
    }

    /// The slowest probe since, the one under way included.
    pub fn slowest(&self) -> Duration {
        let Times { slowest, begun } = *self.shared.times();
        slowest.max(begun.map_or(Duration::ZERO, |begun| begun.elapsed()))
    }
}

impl Drop for DiskProbe {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and has nothing to give.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn probe(&self, file: &File) {
        while !self.stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            self.times().begun = Some(begun);
            // A disk that fails stops the servers, and they say so.
            let _ = file.write_all_at(&BLOCK, 0).and_then(|()| file.sync_data());
            let mut times = self.times();
            times.begun = None;
            times.slowest = times.slowest.max(begun.elapsed());
            drop(times);
            std::thread::sleep(PAUSE);
        }
    }

    /// Nothing can panic while the lock is held.
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_under_way_counts() {
        let directory = tempfile::tempdir().unwrap();
        let probe = DiskProbe::start(directory.path()).unwrap();
        while probe.slowest().is_zero() {
            std::thread::yield_now();
        }
    }
}
