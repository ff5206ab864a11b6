//! The yardstick for the store: a log that is nothing but records behind each other in a file whose blocks are all
//! there, made durable with `fdatasync`. It has the thread, the encoding and the checksum of the real one, so that what
//! differs is what sled does with a record. It could not be read again after it has gone round: nothing here is a store.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use licensing_core::codec;
use tokio::sync::oneshot;

/// Size of the file, in bytes; then it begins from the front. A snapshot every 5,000 entries leaves less than this to keep.
const FILE_BYTES: usize = 16 << 20;

/// Where the next record may begin.
#[derive(Clone, Copy)]
pub(crate) enum Begin {
    /// Right behind the last one, as most write-ahead logs do.
    Anywhere = 1,
    /// On a page that has no record yet: a torn write cannot take an acknowledged record with it.
    NextPage = 4096,
}

/// An entry as the store keeps it: term, index, bytes of a proposal.
pub(crate) type PlainEntry = (u64, u64, Vec<u8>);

struct Job {
    entries: Vec<PlainEntry>,
    done: oneshot::Sender<io::Result<()>>,
}

/// See the module.
pub(crate) struct PlainLog {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl PlainLog {
    /// Makes the file with all its blocks.
    pub(crate) fn create(path: &Path, begin: Begin) -> io::Result<PlainLog> {
        let file = File::create(path)?;
        file.write_all_at(&vec![1; FILE_BYTES], 0)?;
        file.sync_all()?;
        let (jobs, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("plain-log".to_owned())
            .spawn(move || run(&file, begin, &queue))?;
        Ok(PlainLog { jobs: Some(jobs), thread: Some(thread) })
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

impl Drop for PlainLog {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and has nothing to give.
            let _ = thread.join();
        }
    }
}

/// Takes everything that waits, as the writer of the real store does.
fn run(file: &File, begin: Begin, queue: &Receiver<Job>) {
    let mut place = 0;
    while let Ok(first) = queue.recv() {
        let mut entries = first.entries;
        let mut waiting = vec![first.done];
        while let Ok(job) = queue.try_recv() {
            entries.extend(job.entries);
            waiting.push(job.done);
        }
        let written = write(file, &mut place, &record(&entries));
        place = place.next_multiple_of(begin as usize);
        for done in waiting {
            // Nobody waits any more.
            let _ = done.send(written.as_ref().map_err(|error| io::Error::from(error.kind())).copied());
        }
    }
}

/// Length, checksum, entries.
fn record(entries: &[PlainEntry]) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    codec::append_to(&mut bytes, &entries);
    let length = (bytes.len() - 8) as u32;
    let checksum = crc32c::crc32c(&bytes[8..]);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn write(file: &File, place: &mut usize, record: &[u8]) -> io::Result<()> {
    if *place + record.len() > FILE_BYTES {
        *place = 0;
    }
    file.write_all_at(record, *place as u64)?;
    *place += record.len();
    file.sync_data()
}
