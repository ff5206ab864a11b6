//! Connections that have not said yet what they are. The property kept: a flood of silent ones pushes out its own
//! oldest, and nobody else.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle};

/// Connections that have not said yet what they are, oldest first.
#[derive(Default)]
pub(super) struct Undecided {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    /// A handle is entered as soon as its task has started.
    tasks: BTreeMap<u64, Option<AbortHandle>>,
}

/// A place among the undecided, given up when the connection has said what it is.
pub(crate) struct Place {
    undecided: Arc<Undecided>,
    number: u64,
}

impl Undecided {
    /// Begins with a connection; the oldest of those that are undecided goes when there are `limit` of them.
    pub(super) fn admit<F>(self: Arc<Self>, limit: usize, serving: impl FnOnce(Place) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let number = {
            let mut waiting = self.lock();
            if waiting.tasks.len() >= limit
                && let Some((_, Some(oldest))) = waiting.tasks.pop_first()
            {
                oldest.abort();
            }
            let number = waiting.next;
            waiting.next += 1;
            waiting.tasks.insert(number, None);
            number
        };
        let place = Place { undecided: self.clone(), number };
        let task = tokio::spawn(serving(place));
        self.note(number, &task);
    }

    /// Which task a connection is in, unless it is decided already.
    fn note(&self, number: u64, task: &JoinHandle<()>) {
        if let Some(handle) = self.lock().tasks.get_mut(&number) {
            *handle = Some(task.abort_handle());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Of a connection that pushes nobody out.
    #[cfg(feature = "testing")]
    pub(super) fn uncounted() -> Place {
        Place { undecided: Arc::default(), number: 0 }
    }

    /// Goes on with the connection on other threads.
    pub(super) fn move_to<F>(self, threads: &Handle, serving: impl FnOnce(Place) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (undecided, number) = (self.undecided.clone(), self.number);
        let task = threads.spawn(serving(self));
        undecided.note(number, &task);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.undecided.lock().tasks.remove(&self.number);
    }
}
