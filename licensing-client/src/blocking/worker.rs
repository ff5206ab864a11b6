//! The thread behind a client whose calls wait.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A thread with a runtime, which ends with it. It belongs to the process that started it.
#[derive(Debug)]
pub(super) struct Worker {
    process: u32,
    runtime: Handle,
    /// Both taken when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Fails when the system gives no thread or no descriptors.
    pub(super) fn start() -> io::Result<Worker> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("licensing-client".to_owned()).spawn(move || {
            let _ = runtime.block_on(stopped);
            // A name that is being looked up must not hold up the program's end.
            runtime.shutdown_background();
        })?;
        let process = std::process::id();
        Ok(Worker { process, runtime: handle, stop: Some(stop), thread: Some(thread) })
    }

    /// The process whose thread it is, if that is not this one: then nobody is there to work.
    pub(super) fn elsewhere(&self) -> Option<u32> {
        (self.process != std::process::id()).then_some(self.process)
    }

    /// Waits for what the future gives; `None` when the thread has ended.
    pub(super) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.begin(future).recv().ok()
    }

    /// Waits so long at most; the future goes on all the same.
    pub(super) fn run_for<T: Send + 'static>(
        &self,
        limit: Duration,
        future: impl Future<Output = T> + Send + 'static,
    ) {
        drop(self.begin(future).recv_timeout(limit));
    }

    fn begin<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Receiver<T> {
        let (done, result) = sync_channel(1);
        self.runtime.spawn(async move {
            // Whoever asked may have waited long enough.
            let _ = done.send(future.await);
        });
        result
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let (stop, thread) = (self.stop.take(), self.thread.take());
        if self.elsewhere().is_some() {
            return std::mem::forget((stop, thread));
        }
        drop(stop);
        // It takes no step that could take long.
        drop(thread.map(JoinHandle::join));
    }
}
