//! Appends to one peer, one behind the other: how many are under way, how old the oldest may be, and which of them need
//! not be sent at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use futures_util::stream::{self, FuturesOrdered};
use futures_util::{Stream, StreamExt};
use licensing_core::mutant::{Mutant, planted};
use openraft::entry::RaftEntry;
use openraft::raft::StreamAppendResult;

use crate::engine::types::{AppendRequest, AppendResponse, LogId, Types};
use crate::peer::failure::{RpcResult, network_error, rpc_error, unexpected};
use crate::peer::link::Link;
use crate::peer::message::{PeerReply, PeerRequest};
use crate::peer::news::News;
use crate::peer::under_way::{MOST_BYTES, UnderWay, bytes_of};
use crate::time::Instant;

/// Appends under way to one peer: enough to hide a round trip behind a commit, few enough that a lost one is noticed.
const PIPELINE: usize = 16;

/// What appends travel on.
#[derive(Clone)]
pub(super) struct AppendLane {
    pub(super) link: Link,
    /// Whether appends are heartbeats, which must not wait behind entries.
    pub(super) heartbeats: bool,
    pub(super) progressed: Progressed,
    pub(super) is_purged: IsPurged,
}

/// Whether this server has an entry of this index only in a snapshot.
pub(crate) type IsPurged = Arc<dyn Fn(u64) -> bool + Send + Sync>;

impl AppendLane {
    /// Whether an append has no entries because they were purged before they were read: what the peer needs is a snapshot.
    /// openraft finds that out when it looks for the place to go on from, which it does after a failure only.
    fn came_too_late(&self, request: &AppendRequest) -> bool {
        let next = request.prev_log_id.map_or(0, |previous| previous.index + 1);
        request.entries.is_empty() && !self.heartbeats && (self.is_purged)(next)
    }
}

/// When a peer last took entries or a snapshot. Clones share it.
///
/// Heartbeats, entries and snapshots travel on connections of their own. A conflict that one of them met while the peer had
/// lost its log may arrive when the peer has been brought up to date by another, and openraft takes it for another loss.
#[derive(Clone, Default)]
pub(crate) struct Progressed(Arc<Mutex<Latest>>);

#[derive(Default)]
struct Latest {
    entries: Option<Instant>,
    snapshot: Option<Instant>,
    chunk: Option<Instant>,
}

impl Progressed {
    /// The peer has taken a snapshot just now.
    pub(super) fn took_snapshot(&self) {
        self.lock().snapshot = Some(Instant::now());
    }

    /// The peer has taken a part of a snapshot just now.
    pub(super) fn took_chunk(&self) {
        self.lock().chunk = Some(Instant::now());
    }

    /// When the peer last took anything.
    pub(crate) fn latest(&self) -> Option<Instant> {
        let latest = self.lock();
        latest.entries.max(latest.snapshot).max(latest.chunk)
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another connection has brought the peer forward since a request was sent.
    fn overtook(&self, heartbeat: bool, sent: Instant) -> bool {
        let latest = self.lock();
        let since = |moment: Option<Instant>| moment.is_some_and(|moment| moment >= sent);
        since(latest.snapshot) || heartbeat && since(latest.entries)
    }
}

/// Sends appends one behind the other and gives their results in the same order, up to the first failure: behind it the
/// peer's log is not where the next request assumes it.
///
/// An append has `ttl` for its answer, and longer by what it has of bytes and the bytes before it: see [`UnderWay`].
///
/// While the oldest unanswered append is older than `patience`, none is taken from `input`. openraft notes the time at
/// which it hands out a request and finds the request an answer belongs to by log id, so that an answer confirms every
/// empty append behind it, however much later that was made: a process that stood still for seconds would take answers
/// from before its sleep for a quorum that hears it now. With this rule a confirmation is never newer than the append it
/// answers by more than `patience`, which the lease's margin covers.
///
/// An append without entries only brings [`News`] of a commit. If another append comes while it waits, that one brings the
/// news and its answer stands for both. Heartbeats do not wait.
pub(super) fn pipelined<S>(
    lane: AppendLane,
    mut input: S,
    ttl: Duration,
    patience: Duration,
) -> impl Stream<Item = RpcResult<StreamAppendResult<Types>>>
where
    S: Stream<Item = AppendRequest> + Unpin,
{
    let mut under_way = FuturesOrdered::new();
    let mut taken = UnderWay::default();
    let (mut input_ended, mut failed) = (false, false);
    let mut news = News::default();
    stream::poll_fn(move |context| {
        let is_late = |taken: &UnderWay| taken.age() > patience && !planted(Mutant::LateConfirmation);
        loop {
            if failed {
                return Poll::Ready(None);
            }
            let answered: Poll<Option<(bool, RpcResult<_>)>> = under_way.poll_next_unpin(context);
            if let Poll::Ready(Some((whole, result))) = answered {
                taken.forget_oldest();
                failed = !whole;
                return Poll::Ready(Some(result));
            }
            // It was taken when there was room for it, and whatever has taken the room since has taken it along.
            let alone = if input_ended { news.take() } else { news.take_due(context) };
            if let Some(request) = alone {
                let travel = taken.note(bytes_of(&request));
                under_way.push_back(append(lane.clone(), request, ttl + travel));
                continue;
            }
            let is_full = under_way.len() == PIPELINE || taken.bytes() >= MOST_BYTES;
            if input_ended || is_full || is_late(&taken) {
                return if under_way.is_empty() { Poll::Ready(None) } else { Poll::Pending };
            }
            match ready!(input.poll_next_unpin(context)) {
                None => input_ended = true,
                // The process stood still right here: begin anew rather than confirm what nobody has answered.
                Some(_) if is_late(&taken) => {
                    failed = true;
                    return Poll::Ready(Some(Err(network_error("this server stood still"))));
                }
                Some(request) if lane.came_too_late(&request) => {
                    failed = true;
                    let purged = network_error("the entries that follow were purged: a snapshot is due");
                    return Poll::Ready(Some(Err(purged)));
                }
                Some(request) if request.entries.is_empty() && !lane.heartbeats => {
                    news.replace(request);
                }
                Some(request) => {
                    news.take();
                    let travel = taken.note(bytes_of(&request));
                    under_way.push_back(append(lane.clone(), request, ttl + travel));
                }
            }
        }
    })
}

/// Sends one append. The flag says whether all of it was taken, so that what follows makes sense.
async fn append(
    lane: AppendLane,
    request: AppendRequest,
    ttl: Duration,
) -> (bool, RpcResult<StreamAppendResult<Types>>) {
    let previous: Option<LogId> = request.prev_log_id;
    let last = request.entries.last().map(RaftEntry::log_id).or(previous);
    let sent = Instant::now();
    match lane.link.call(PeerRequest::Append(request), ttl).await {
        Ok(PeerReply::Append(AppendResponse::Conflict))
            if lane.progressed.overtook(lane.heartbeats, sent) =>
        {
            (false, Err(network_error("a conflict that is over")))
        }
        Ok(PeerReply::Append(AppendResponse::Conflict)) if previous.is_none() => {
            // Nothing can conflict with the beginning of the log.
            (false, Err(network_error("a conflict before the first entry")))
        }
        Ok(PeerReply::Append(response)) => {
            let result = response.into_stream_result(previous, last);
            if !lane.heartbeats && result.is_ok() {
                lane.progressed.lock().entries = Some(Instant::now());
            }
            (matches!(&result, Ok(reached) if *reached == last), Ok(result))
        }
        Ok(other) => (false, Err(unexpected(&other))),
        Err(error) => (false, Err(rpc_error(error))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::stream::BoxStream;
    use licensing_core::id::Role;
    use openraft::EntryPayload;
    use openraft::vote::RaftLeaderId;
    use tokio::sync::mpsc;
    use tokio::time::advance;

    use super::*;
    use crate::engine::types::{Entry, Vote};
    use crate::peer::link::ReplySender;

    const TTL: Duration = Duration::from_millis(150);
    const PATIENCE: Duration = Duration::from_millis(15);

    /// Entries up to this one are only in a snapshot.
    const PURGED: u64 = 3;

    fn log_id(index: u64) -> LogId {
        let leader = <openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(3, 1);
        LogId::new(leader.to_committed(), index)
    }

    /// An append without entries: the log reaches to `index`, and all of it is committed.
    pub(in crate::peer) fn news_of(index: u64) -> AppendRequest {
        let leader = <openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(3, 1);
        AppendRequest {
            vote: Vote { leader_id: leader, committed: true },
            prev_log_id: Some(log_id(index)),
            leader_commit: Some(log_id(index)),
            entries: vec![],
        }
    }

    /// An append with one entry.
    fn entry(index: u64) -> AppendRequest {
        AppendRequest { entries: vec![Entry::new(log_id(index), EntryPayload::Blank)], ..news_of(index - 1) }
    }

    /// What an append is for, in a word and an index.
    pub(in crate::peer) fn gist(request: &AppendRequest) -> String {
        match (request.entries.last(), request.leader_commit) {
            (Some(entry), _) => format!("entry {}", entry.log_id().index),
            (None, Some(committed)) => format!("news {}", committed.index),
            (None, None) => "nothing".to_owned(),
        }
    }

    /// Appends on one lane; the test is openraft, which feeds them, and the peer, which is asked.
    struct Scene {
        feeding: mpsc::UnboundedSender<AppendRequest>,
        taken: Arc<AtomicUsize>,
        asked: mpsc::UnboundedReceiver<(PeerRequest, ReplySender)>,
        results: BoxStream<'static, RpcResult<StreamAppendResult<Types>>>,
    }

    impl Scene {
        fn new(heartbeats: bool) -> Scene {
            let (link, asked) = Link::scripted(Role::Secondary);
            let (feeding, mut input) = mpsc::unbounded_channel();
            let taken = Arc::new(AtomicUsize::new(0));
            let count = taken.clone();
            let input = stream::poll_fn(move |context| {
                let polled = input.poll_recv(context);
                if matches!(polled, Poll::Ready(Some(_))) {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                polled
            });
            let is_purged = Arc::new(|index| index <= PURGED);
            let lane = AppendLane { link, heartbeats, progressed: Progressed::default(), is_purged };
            Scene { feeding, taken, asked, results: pipelined(lane, input, TTL, PATIENCE).boxed() }
        }

        fn feed(&self, requests: impl IntoIterator<Item = AppendRequest>) {
            requests.into_iter().for_each(|request| self.feeding.send(request).unwrap());
        }

        /// How many appends have been taken from openraft.
        fn taken(&self) -> usize {
            self.taken.load(Ordering::SeqCst)
        }

        /// What the peer is asked now, with the ways to answer. No result must be there.
        async fn asked_now(&mut self) -> (Vec<String>, Vec<ReplySender>) {
            assert!(futures_util::poll!(self.results.next()).is_pending());
            // The far end of the lane is a task, and the only other one.
            tokio::task::yield_now().await;
            std::iter::from_fn(|| self.asked.try_recv().ok())
                .map(|(request, reply)| match request {
                    PeerRequest::Append(request) => (gist(&request), reply),
                    other => panic!("{other:?}"),
                })
                .unzip()
        }

        /// The peer takes everything it was asked to.
        async fn answer(&mut self, replies: Vec<ReplySender>) {
            for reply in replies {
                reply.send(Ok(PeerReply::Append(AppendResponse::Success))).unwrap();
                assert!(self.results.next().await.unwrap().is_ok());
            }
        }
    }

    /// openraft stamps an append when it is taken, and takes the answer to an old one for the answer to it.
    async fn check_none_is_taken_while_an_old_one_waits(heartbeats: bool, appends: [AppendRequest; 3]) {
        let mut scene = Scene::new(heartbeats);
        let [first, second, third] = appends;
        // Both are young: both go out at once.
        scene.feed([first, second]);
        let (asked, replies) = scene.asked_now().await;
        assert_eq!((asked.len(), scene.taken()), (2, 2));

        advance(PATIENCE * 2).await;
        scene.feed([third]);
        scene.asked_now().await;
        assert_eq!(scene.taken(), 2, "a third one was taken, and the answer to the first would confirm it");

        scene.answer(replies).await;
        let (asked, _) = scene.asked_now().await;
        assert_eq!((asked.len(), scene.taken()), (1, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn no_heartbeat_is_taken_while_an_old_one_waits_for_its_answer() {
        check_none_is_taken_while_an_old_one_waits(true, [7, 7, 7].map(news_of)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn no_entries_are_taken_while_old_ones_wait_for_their_answer() {
        check_none_is_taken_while_an_old_one_waits(false, [7, 8, 9].map(entry)).await;
    }

    /// Sent along with entries it would confirm them: their answer is the only one.
    #[tokio::test(start_paused = true)]
    async fn news_travels_with_entries_that_come_in_time() {
        let mut scene = Scene::new(false);
        scene.feed([news_of(6)]);
        assert!(scene.asked_now().await.0.is_empty());
        scene.feed([entry(7)]);
        let (asked, replies) = scene.asked_now().await;
        assert_eq!(asked, ["entry 7"], "entries wait for nothing");
        scene.answer(replies).await;
        advance(PATIENCE * 2).await;
        let (asked, _) = scene.asked_now().await;
        assert!(asked.is_empty(), "the news was sent once more");
        assert_eq!(scene.taken(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn news_travels_alone_when_nothing_comes() {
        let mut scene = Scene::new(false);
        scene.feed([news_of(6), news_of(7)]);
        let begin = Instant::now();
        let (request, reply) = tokio::select! {
            result = scene.results.next() => panic!("{result:?} though nothing was answered"),
            asked = scene.asked.recv() => asked.unwrap(),
        };
        assert_eq!(begin.elapsed(), Duration::from_millis(5));
        assert!(matches!(request, PeerRequest::Append(request) if gist(&request) == "news 7"));
        scene.answer(vec![reply]).await;
    }

    /// Entries that were purged between two steps of openraft: it would say nothing for ever, and the peer stay behind.
    #[tokio::test(start_paused = true)]
    async fn an_append_whose_entries_were_purged_fails_so_that_a_snapshot_is_sent() {
        let mut scene = Scene::new(false);
        scene.feed([news_of(PURGED - 1)]);
        let failed = scene.results.next().await.unwrap().unwrap_err().to_string();
        assert!(failed.contains("a snapshot is due"), "{failed}");
        assert!(scene.results.next().await.is_none());
        // What follows the last purged entry is there, and a heartbeat needs none.
        for (heartbeats, index) in [(false, PURGED), (true, PURGED - 1)] {
            let mut scene = Scene::new(heartbeats);
            scene.feed([news_of(index)]);
            scene.feeding = mpsc::unbounded_channel().0;
            assert_eq!(scene.asked_now().await.0, [format!("news {index}")]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn news_does_not_wait_on_a_stream_that_ended_or_among_heartbeats() {
        let mut ended = Scene::new(false);
        ended.feed([news_of(7)]);
        ended.feeding = mpsc::unbounded_channel().0;
        let (asked, replies) = ended.asked_now().await;
        assert_eq!(asked, ["news 7"]);
        ended.answer(replies).await;
        assert!(ended.results.next().await.is_none());

        let mut heartbeats = Scene::new(true);
        heartbeats.feed([news_of(7)]);
        assert_eq!(heartbeats.asked_now().await.0, ["news 7"]);
    }

    #[tokio::test(start_paused = true)]
    async fn sixteen_appends_are_under_way_and_no_more_when_news_is_the_last() {
        let mut scene = Scene::new(false);
        scene.feed((1..PIPELINE as u64).map(entry));
        scene.feed([news_of(15)]);
        let (mut asked, mut replies) = scene.asked_now().await;
        advance(Duration::from_millis(5)).await;
        // The news goes, and takes the last place: what comes now must wait.
        scene.feed([news_of(15), entry(16), entry(17)]);
        let (more, ways) = scene.asked_now().await;
        asked.extend(more);
        replies.extend(ways);
        assert_eq!((asked.len(), asked.last().map(String::as_str)), (PIPELINE, Some("news 15")));
        assert_eq!(scene.taken(), PIPELINE);
        // One answer makes room for one, which takes the second news along.
        scene.answer(vec![replies.remove(0)]).await;
        assert_eq!(scene.asked_now().await.0, ["entry 16"]);
        assert_eq!(scene.taken(), PIPELINE + 2);
        advance(Duration::from_millis(5)).await;
        assert!(scene.asked_now().await.0.is_empty());
    }
}
