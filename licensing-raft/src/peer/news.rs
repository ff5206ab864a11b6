//! News of a commit: an append without entries, which waits a little for one that has some.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::Sleep;

use crate::engine::types::AppendRequest;
use crate::time::sleep;

/// How long news of a commit waits for entries to travel with. openraft sends them in an append of their own otherwise,
/// which doubles the messages between the servers while requests come one by one. Nobody waits for the news: a standby
/// acts on a commit only when it becomes master, and then finds out by itself.
const NEWS_PATIENCE: Duration = Duration::from_millis(5);

/// The latest append without entries, as long as it may still find company.
#[derive(Default)]
pub(super) struct News(Option<(AppendRequest, Pin<Box<Sleep>>)>);

impl News {
    /// Takes the place of what waits already, and goes when that would have gone: news that is always replaced would
    /// never arrive.
    pub(super) fn replace(&mut self, request: AppendRequest) {
        match &mut self.0 {
            Some((latest, _)) => *latest = request,
            None => self.0 = Some((request, Box::pin(sleep(NEWS_PATIENCE)))),
        }
    }

    /// The news, when it has waited long enough; wakes the task then.
    pub(super) fn take_due(&mut self, context: &mut Context<'_>) -> Option<AppendRequest> {
        let due = self.0.take_if(|(_, due)| due.as_mut().poll(context).is_ready());
        due.map(|(request, _)| request)
    }

    /// The news, if there is any: no company will come, or it has come and says the same.
    pub(super) fn take(&mut self) -> Option<AppendRequest> {
        self.0.take().map(|(request, _)| request)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use futures_util::FutureExt;
    use tokio::time::advance;

    use crate::time::Instant;

    use super::*;
    use crate::peer::pipeline::tests::{gist, news_of};

    const MOMENT: Duration = Duration::from_millis(1);

    /// What goes now, if anything does.
    fn due_now(news: &mut News) -> Option<String> {
        let due = poll_fn(|context| Poll::Ready(news.take_due(context))).now_or_never();
        due.flatten().map(|request| gist(&request))
    }

    #[tokio::test(start_paused = true)]
    async fn news_goes_alone_after_five_milliseconds() {
        let mut news = News::default();
        for _ in 0..2 {
            let begin = Instant::now();
            news.replace(news_of(7));
            let gone = poll_fn(|context| match news.take_due(context) {
                Some(request) => Poll::Ready(request),
                None => Poll::Pending,
            });
            assert_eq!(gist(&gone.await), "news 7");
            assert_eq!(begin.elapsed(), NEWS_PATIENCE);
        }
        assert_eq!(due_now(&mut news), None, "it went twice");
    }

    #[tokio::test(start_paused = true)]
    async fn the_latest_news_goes_when_the_first_would_have_gone() {
        let mut news = News::default();
        for index in [7, 8, 9] {
            news.replace(news_of(index));
            assert_eq!(due_now(&mut news), None);
            advance(MOMENT).await;
        }
        advance(NEWS_PATIENCE - 4 * MOMENT).await;
        assert_eq!(due_now(&mut news), None);
        advance(MOMENT).await;
        assert_eq!(due_now(&mut news).as_deref(), Some("news 9"));
    }

    #[tokio::test(start_paused = true)]
    async fn after_news_that_was_taken_the_next_waits_as_long_again() {
        let mut news = News::default();
        news.replace(news_of(7));
        advance(NEWS_PATIENCE - MOMENT).await;
        assert!(news.take().is_some());
        assert!(news.take().is_none(), "it was taken twice");
        news.replace(news_of(8));
        advance(NEWS_PATIENCE - MOMENT).await;
        assert_eq!(due_now(&mut news), None);
        advance(MOMENT).await;
        assert_eq!(due_now(&mut news).as_deref(), Some("news 8"));
    }
}
