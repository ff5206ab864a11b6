//! One thread that writes: it takes everything that is waiting, commits it in one go, then acknowledges all of it
//! (group commit). While a commit is on its way to the disk the next one gathers, so that the load decides how many
//! requests share an fsync.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::engine::types::LogId;
use crate::store::disk::Disk;
use crate::store::persist::{Done, Persist, Write};

/// Writes per commit. The queue itself needs no bound: openraft waits for its own writes and keeps at most a few
/// thousand entries in flight (`max_append_entries`, and the limit on proposals in [`crate::node`]).
const WRITES_PER_COMMIT: usize = 1024;

enum Job {
    Write(Write, Option<Done>),
    Close,
}

/// The writer thread of a log.
pub(crate) struct Writer {
    jobs: Mutex<Sender<Job>>,
    committed: Arc<Mutex<Option<LogId>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. `on_failure` hears of the first error, once; after it every write fails.
    pub(crate) fn start(disk: Disk, on_failure: impl Fn(String) + Send + 'static) -> io::Result<Writer> {
        let (jobs, queue) = mpsc::channel();
        let committed = Arc::new(Mutex::new(None));
        let noted = committed.clone();
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || run(disk, &queue, &noted, on_failure))?;
        Ok(Writer { jobs: Mutex::new(jobs), committed, thread: Mutex::new(Some(thread)) })
    }

    fn send(&self, job: Job) {
        let sent = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).send(job);
        if let Err(mpsc::SendError(Job::Write(_, Some(done)))) = sent {
            done(Err(io::Error::other("the log is closed")));
        }
    }
}

impl Persist for Writer {
    fn submit(&self, write: Write, done: Option<Done>) {
        self.send(Job::Write(write, done));
    }

    fn note_committed(&self, committed: Option<LogId>) {
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = committed;
    }

    fn close(&self) {
        self.send(Job::Close);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the writer has been reported as its failure.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn run(mut disk: Disk, queue: &Receiver<Job>, committed: &Mutex<Option<LogId>>, on_failure: impl Fn(String)) {
    let mut failed: Option<String> = None;
    let mut open = true;
    while open {
        let Ok(first) = queue.recv() else { break };
        let mut writes = Vec::new();
        let mut waiting = Vec::new();
        for job in std::iter::once(first).chain(std::iter::from_fn(|| queue.try_recv().ok())) {
            match job {
                Job::Write(write, done) => {
                    writes.push(write);
                    waiting.extend(done);
                }
                Job::Close => open = false,
            }
            if !open || writes.len() == WRITES_PER_COMMIT {
                break;
            }
        }
        if !writes.is_empty() && failed.is_none() {
            let noted = committed.lock().unwrap_or_else(PoisonError::into_inner).take();
            failed = disk.commit(&writes, noted).err().map(|error| error.to_string());
            if let Some(problem) = &failed {
                on_failure(format!("cannot write the log: {problem}"));
            }
        }
        for done in waiting {
            done(failed.clone().map_or(Ok(()), |problem| Err(io::Error::other(problem))));
        }
    }
    if failed.is_some() {
        // Given up, sled would try to flush what it could not write, and may wait for that forever: a server whose disk
        // is full would not end. What it holds ends with the process.
        std::mem::forget(disk);
    } else if let Err(error) = disk.close() {
        on_failure(format!("cannot close the log: {error}"));
    }
}
