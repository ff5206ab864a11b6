//! The yardsticks for the store: logs that have the thread and the group commit of the real one, so that what differs is
//! what an [`Engine`] does with a commit.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use licensing_core::codec;
use tokio::sync::oneshot;

/// An entry as the store keeps it: term, index, bytes of a proposal.
pub(crate) type PlainEntry = (u64, u64, Vec<u8>);

/// Where entries become durable.
pub(crate) trait Engine: Send + 'static {
    /// Puts the entries behind the last ones; durable on return.
    fn commit(&mut self, entries: &[PlainEntry]) -> io::Result<()>;
}

struct Job {
    entries: Vec<PlainEntry>,
    done: oneshot::Sender<io::Result<()>>,
}

/// See the module.
pub(crate) struct LogThread {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl LogThread {
    /// Starts the thread, which writes to `engine`.
    pub(crate) fn start(engine: impl Engine) -> io::Result<LogThread> {
        let (jobs, queue) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("log-thread".to_owned()).spawn(move || run(engine, &queue))?;
        Ok(LogThread { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Appends the entries; the receiver hears when they are durable.
    pub(crate) fn append(&self, entries: Vec<PlainEntry>) -> oneshot::Receiver<io::Result<()>> {
        let (done, wait) = oneshot::channel();
        if let Some(jobs) = &self.jobs {
            // A thread that has ended drops the sender, which the receiver hears.
            let _ = jobs.send(Job { entries, done });
        }
        wait
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to give; a panic of it has been heard by whoever waited.
            let _ = thread.join();
        }
    }
}

/// Takes everything that waits, as the writer of the real store does.
fn run(mut engine: impl Engine, queue: &Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut entries = first.entries;
        let mut waiting = vec![first.done];
        while let Ok(job) = queue.try_recv() {
            entries.extend(job.entries);
            waiting.push(job.done);
        }
        let written = engine.commit(&entries);
        for done in waiting {
            // Nobody waits any more.
            let _ = done.send(written.as_ref().map_err(|error| io::Error::from(error.kind())).copied());
        }
    }
}

/// Length, checksum, entries.
pub(crate) fn record(entries: &[PlainEntry]) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    codec::append_to(&mut bytes, &entries);
    let length = (bytes.len() - 8) as u32;
    let checksum = crc32c::crc32c(&bytes[8..]);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
    bytes
}
