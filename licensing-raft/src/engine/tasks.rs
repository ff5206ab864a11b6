//! What has to end with a server: a list of running tasks, and the end of them all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};

/// Tasks that end together. Clones share the list.
#[derive(Debug, Clone, Default)]
pub struct TaskList(Arc<Mutex<Vec<AbortHandle>>>);

impl TaskList {
    /// Enters a task.
    pub fn add<T>(&self, task: &JoinHandle<T>) {
        let mut tasks = self.lock();
        // Swept when it is full, so that the list stays about as long as there are living tasks.
        if tasks.len() == tasks.capacity() {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(task.abort_handle());
    }

    /// How many of them have not ended.
    #[cfg(feature = "testing")]
    pub fn running(&self) -> usize {
        self.lock().iter().filter(|task| !task.is_finished()).count()
    }

    /// Ends all tasks where they stand, and returns once none of them runs any more.
    pub async fn end(&self) {
        loop {
            let tasks = std::mem::take(&mut *self.lock());
            // A task may have started another before it ended: look until there are none.
            if tasks.is_empty() {
                return;
            }
            tasks.iter().for_each(AbortHandle::abort);
            for task in tasks {
                while !task.is_finished() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// The second comes into the list when the first is dropped.
    #[tokio::test(start_paused = true)]
    async fn tasks_that_were_started_by_others_end_too() {
        struct Heir(TaskList);
        impl Drop for Heir {
            fn drop(&mut self) {
                self.0.add(&tokio::spawn(std::future::pending::<()>()));
            }
        }
        let tasks = TaskList::default();
        let heir = Heir(tasks.clone());
        tasks.add(&tokio::spawn(async move {
            let _heir = heir;
            std::future::pending::<()>().await;
        }));
        sleep(Duration::from_millis(1)).await;
        tasks.end().await;
        let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(alive, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_have_ended_do_not_stay_in_the_list() {
        let tasks = TaskList::default();
        for _ in 0..1000 {
            let task = tokio::spawn(std::future::ready(()));
            tasks.add(&task);
            task.await.unwrap();
        }
        assert!(tasks.lock().len() < 10, "{} tasks", tasks.lock().len());
    }
}
