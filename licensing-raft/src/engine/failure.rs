//! Why a node has stopped by itself, and what makes it: its disk, its engine, a panic of one of its tasks.

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt;

use crate::engine::watch::{Watched, Watcher};

/// Why a node has stopped by itself, if it has. Clones are the same; the first reason stays.
#[derive(Clone)]
pub(crate) struct Failure(Watched<Option<String>>);

impl Failure {
    /// So far nothing has failed.
    pub(crate) fn new() -> Failure {
        Failure(Watched::new(None))
    }

    /// Stops serving for good and says why.
    pub(crate) fn fail(&self, why: String) {
        self.0.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                tracing::error!("{why}");
                *failure = Some(why);
            }
            first
        });
    }

    /// The reason, if there is one.
    pub(crate) fn why(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Whether there is a reason.
    pub(crate) fn is_some(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Hears of the reason.
    pub(crate) fn subscribe(&self) -> Watcher<Option<String>> {
        self.0.subscribe()
    }

    /// Does `work`; a panic of it goes on as one, and is the node's failure. Without the task that panicked it would go
    /// on with a part missing (a peer that is sent nothing any more, sessions that never end), and nobody would notice.
    pub(crate) async fn of_panics<F: Future>(self, work: F) -> F::Output {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(done) => done,
            Err(panic) => {
                self.fail(format!("a part of this server has panicked: {}", said(&*panic)));
                resume_unwind(panic)
            }
        }
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it did not say why")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_failure_and_goes_on_as_a_panic() {
        let failure = Failure::new();
        assert_eq!(failure.clone().of_panics(async { 7 }).await, 7);
        assert_eq!(failure.why(), None);
        let place = 3;
        let task = tokio::spawn(failure.clone().of_panics(async move { panic!("no entry {place}") }));
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(failure.why().as_deref(), Some("a part of this server has panicked: no entry 3"));
        // The first reason stays.
        failure.fail("the disk is full".to_owned());
        assert_eq!(failure.why().as_deref(), Some("a part of this server has panicked: no entry 3"));
    }
}
