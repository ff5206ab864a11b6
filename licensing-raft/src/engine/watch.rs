//! A value that can be watched: the latest is always there, whoever waits hears of every change after the last one it
//! saw.
//!
//! The same as `tokio::sync::watch`, with one difference: waiters are woken in the order in which they began to wait.
//! tokio's spreads them by a random number, which would be the only thing in a simulated triad that cannot be repeated.

use std::ops::Deref;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use openraft::OptionalSend;
use openraft::OptionalSync;
use openraft::async_runtime::watch as seam;
use tokio::sync::Notify;

struct Shared<T> {
    value: RwLock<T>,
    /// Grows with every change.
    version: AtomicU64,
    changed: Notify,
    senders: AtomicUsize,
    closed: AtomicBool,
}

/// The last sender is gone: the value will not change any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the watched value will not change any more")]
pub struct Closed;

/// The watched value, held still while this lives: keep it short, and never across an await.
pub struct Seen<'a, T>(RwLockReadGuard<'a, T>);

impl<T> Deref for Seen<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Changes the value.
pub struct Watched<T>(Arc<Shared<T>>);

/// Watches the value.
pub struct Watcher<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T> Watched<T> {
    /// A value to watch.
    pub fn new(value: T) -> Watched<T> {
        Watched(Arc::new(Shared {
            value: RwLock::new(value),
            version: AtomicU64::new(0),
            changed: Notify::new(),
            senders: AtomicUsize::new(1),
            closed: AtomicBool::new(false),
        }))
    }

    /// Lets `modify` change the value; watchers hear of it when it returns `true`.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let changed = {
            let mut value = self.0.value.write().unwrap_or_else(PoisonError::into_inner);
            let changed = modify(&mut value);
            if changed {
                self.0.version.fetch_add(1, Ordering::SeqCst);
            }
            changed
        };
        if changed {
            self.0.changed.notify_waiters();
        }
        changed
    }

    /// Sets the value.
    pub fn send_replace(&self, value: T) {
        self.send_if_modified(|old| {
            *old = value;
            true
        });
    }

    /// The value as it is now.
    pub fn borrow(&self) -> Seen<'_, T> {
        Seen(self.0.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A watcher that has seen the present value.
    pub fn subscribe(&self) -> Watcher<T> {
        Watcher { shared: self.0.clone(), seen: self.0.version.load(Ordering::SeqCst) }
    }
}

impl<T> Clone for Watched<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::SeqCst);
        Watched(self.0.clone())
    }
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.closed.store(true, Ordering::SeqCst);
            self.0.changed.notify_waiters();
        }
    }
}

impl<T> Clone for Watcher<T> {
    fn clone(&self) -> Self {
        Watcher { shared: self.shared.clone(), seen: self.seen }
    }
}

impl<T> Watcher<T> {
    /// The value as it is now; does not count as seen.
    pub fn borrow(&self) -> Seen<'_, T> {
        Seen(self.shared.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The value as it is now, which counts as seen.
    pub fn borrow_and_update(&mut self) -> Seen<'_, T> {
        let value = self.shared.value.read().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that it belongs to this value.
        self.seen = self.shared.version.load(Ordering::SeqCst);
        Seen(value)
    }

    /// Waits for a value that was not seen yet, and counts it as seen. May be dropped and called again.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        loop {
            let mut waiting = pin!(self.shared.changed.notified());
            // Listening first, looking second: a change in between is not missed.
            waiting.as_mut().enable();
            let version = self.shared.version.load(Ordering::SeqCst);
            if version != self.seen {
                self.seen = version;
                return Ok(());
            }
            if self.shared.closed.load(Ordering::SeqCst) {
                return Err(Closed);
            }
            waiting.await;
        }
    }

    /// Waits until the value is as described, and gives it. May be dropped and called again.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Result<T, Closed>
    where
        T: Clone,
    {
        loop {
            {
                let value = self.borrow_and_update();
                if wanted(&value) {
                    return Ok(value.clone());
                }
            }
            self.changed().await?;
        }
    }
}

/// How openraft asks for it.
#[derive(Debug)]
pub(crate) struct OrderedWatch;

impl seam::Watch for OrderedWatch {
    type Sender<T: OptionalSend + OptionalSync> = Watched<T>;
    type Receiver<T: OptionalSend + OptionalSync> = Watcher<T>;
    type Ref<'a, T: OptionalSend + 'a> = Seen<'a, T>;

    fn channel<T: OptionalSend + OptionalSync>(init: T) -> (Watched<T>, Watcher<T>) {
        let sender = Watched::new(init);
        let receiver = sender.subscribe();
        (sender, receiver)
    }
}

impl<T: OptionalSend + OptionalSync> seam::WatchSender<OrderedWatch, T> for Watched<T> {
    fn send(&self, value: T) -> Result<(), seam::SendError<T>> {
        self.send_replace(value);
        Ok(())
    }

    fn send_if_modified<F>(&self, modify: F) -> bool
    where
        F: FnOnce(&mut T) -> bool,
    {
        Watched::send_if_modified(self, modify)
    }

    fn borrow_watched(&self) -> Seen<'_, T> {
        self.borrow()
    }

    fn subscribe(&self) -> Watcher<T> {
        Watched::subscribe(self)
    }
}

impl<T: OptionalSend + OptionalSync> seam::WatchReceiver<OrderedWatch, T> for Watcher<T> {
    async fn changed(&mut self) -> Result<(), seam::RecvError> {
        Watcher::changed(self).await.map_err(|Closed| seam::RecvError(()))
    }

    fn borrow_watched(&self) -> Seen<'_, T> {
        self.borrow()
    }

    fn borrow_and_update(&mut self) -> Seen<'_, T> {
        Watcher::borrow_and_update(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_before_the_wait_is_not_missed_and_is_seen_once() {
        let watched = Watched::new(1);
        let mut watcher = watched.subscribe();
        watched.send_replace(2);
        watcher.changed().await.unwrap();
        assert_eq!(*watcher.borrow(), 2);
        let waiting = tokio::spawn(async move { watcher.wait_for(|value| *value == 3).await });
        tokio::task::yield_now().await;
        watched.send_replace(3);
        assert_eq!(waiting.await.unwrap(), Ok(3));
    }

    #[tokio::test]
    async fn the_end_of_the_last_sender_ends_the_wait_after_the_last_value() {
        let watched = Watched::new(1);
        let mut watcher = watched.subscribe();
        let other = watched.clone();
        drop(watched);
        other.send_replace(2);
        drop(other);
        assert_eq!(watcher.changed().await, Ok(()));
        assert_eq!(watcher.changed().await, Err(Closed));
        assert_eq!(watcher.wait_for(|value| *value == 7).await, Err(Closed));
    }

    #[tokio::test]
    async fn waiters_are_woken_in_the_order_in_which_they_began() {
        let watched = Watched::new(0);
        let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..20 {
            let (mut watcher, said) = (watched.subscribe(), said.clone());
            tokio::spawn(async move {
                watcher.changed().await.unwrap();
                said.send(number).unwrap();
            });
            tokio::task::yield_now().await;
        }
        watched.send_replace(1);
        for number in 0..20 {
            assert_eq!(heard.recv().await, Some(number));
        }
    }
}
