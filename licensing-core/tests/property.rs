//! Random logs against a naive model: every answer, every view, every invariant and every byte, after every entry.
//!
//! What is shown for each random log: the answers are the model's; the views are the model's; the invariants hold;
//! the events tell the whole story; the state decodes from its bytes; a clone taken on the way never changes; and the
//! same log, from the start or from a snapshot in the middle, leads to the same bytes.
//!
//! A failing case is shrunk and written to `property.proptest-regressions` beside this file, which is run first from
//! then on. `PROPTEST_CASES=100000` runs longer.

#[path = "property/model.rs"]
mod model;
#[path = "property/spec.rs"]
mod spec;
#[path = "property/steps.rs"]
mod steps;

use std::collections::BTreeMap;

use licensing_core::*;
use model::Model;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use spec::{DAY, JANUARY, Spec};
use steps::{Ask, Believed, Number, Step, When, any_proposal, identity, spec, step, when};

/// The log as it grows, what the crate makes of it, and what the model makes of it.
struct Run {
    state: State,
    model: Model,
    log: Vec<(LogIndex, Proposal, Answer)>,
    /// All there ever were; both begin with one that never was.
    sessions: Vec<(SessionId, Token)>,
    handles: Vec<Handle>,
    last_request: BTreeMap<SessionId, u64>,
    /// What the events say: who holds what.
    told_sessions: Vec<SessionId>,
    told_holdings: BTreeMap<Handle, Holding>,
    told_data: BTreeMap<SessionId, Vec<u8>>,
    told_triad_data: BTreeMap<String, Digest>,
    /// Clones on the way, with their bytes then.
    snapshots: Vec<(usize, State, Vec<u8>)>,
}

impl Run {
    fn new(known: Vec<Spec>) -> Run {
        Run {
            state: State::new(),
            model: Model { known, edition: 1, ..Model::default() },
            log: Vec::new(),
            sessions: vec![(SessionId(0), Token([0xff; 16]))],
            handles: vec![Handle(0)],
            last_request: BTreeMap::new(),
            told_sessions: Vec::new(),
            told_holdings: BTreeMap::new(),
            told_data: BTreeMap::new(),
            told_triad_data: BTreeMap::new(),
            snapshots: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step, when: &When, gap: u64) {
        let session = |pick: &Index| *pick.get(&self.sessions);
        let token = |right, session: (SessionId, Token)| if right { session.1 } else { Token([0xee; 16]) };
        let commands = match step {
            Step::Install(pick) => vec![Command::Install(pick.get(&self.model.known).install())],
            Step::InstallNonsense => vec![Command::Install(Install::Staged { digest: Digest([0; 32]) })],
            Step::Open { who } => {
                vec![Command::OpenSession {
                    token: Token([*who; 16]),
                    identity: identity(*who),
                    address: None,
                }]
            }
            Step::Close { session: pick, right_token } => {
                let session = session(pick);
                vec![Command::CloseSession { session: session.0, token: token(*right_token, session) }]
            }
            Step::Expire { sessions, judged_ago } => {
                let judged_at = LogIndex(self.state.last_index().0.saturating_sub(*judged_ago));
                let sessions = sessions.iter().map(|pick| session(pick).0).collect();
                vec![Command::Expire { sessions, judged_at }]
            }
            Step::Call { session: pick, right_token, number, ask } => {
                let session = session(pick);
                let last = self.last_request.entry(session.0).or_insert(0);
                let (request, acknowledged) = match number {
                    Number::Next { unacknowledged } => (*last + 1, last.saturating_sub(*unacknowledged)),
                    Number::Odd { request, acknowledged } => (*request, *acknowledged),
                };
                *last = request.max(*last);
                let (request, acknowledged) = (RequestId(request), RequestId(acknowledged));
                let (token, action) = (token(*right_token, session), self.action(ask));
                vec![Command::Call(Call { session: session.0, token, request, acknowledged, action })]
            }
            Step::Burst { session: pick, requests } => {
                let (session, token) = session(pick);
                let last = self.last_request.entry(session).or_insert(0);
                let first = *last + 1;
                *last += requests;
                let action = Action::Checkin { handle: Handle(0), owner: None };
                let call = |request| Call {
                    session,
                    token,
                    request: RequestId(request),
                    acknowledged: RequestId(0),
                    action: action.clone(),
                };
                (first..first + requests).map(|request| Command::Call(call(request))).collect()
            }
            Step::Tick => vec![Command::Tick],
            Step::Raise => vec![Command::RaiseEdition { to: Edition::NEWEST }],
            Step::SetTriadData { key, length, believed } => {
                let set_at = self.model.triad_data.iter().find(|(known, ..)| known == key);
                let set_at = set_at.map_or(0, |(_, _, set_at)| *set_at);
                let believed = believed.as_ref().map(|believed| match believed {
                    Believed::Right => LogIndex(set_at),
                    Believed::Absent => LogIndex(0),
                    Believed::Odd(index) => LogIndex(*index),
                });
                let value = length.map(|length| self.some_bytes(length));
                vec![Command::SetTriadData { key: (*key).to_owned(), value, believed }]
            }
            Step::Resend(_) if self.log.is_empty() => vec![],
            Step::Resend(pick) => vec![pick.get(&self.log).1.command.clone()],
            Step::Refeed(pick) => return self.refeed(pick),
            Step::Snapshot => {
                self.snapshots.push((self.log.len(), self.state.clone(), self.state.to_bytes()));
                return;
            }
        };
        for command in commands {
            let index = LogIndex(self.state.last_index().0 + 1 + gap);
            let at = self.moment(when);
            self.apply(index, Proposal { at, command });
        }
    }

    /// Bytes that no other step makes.
    fn some_bytes(&self, length: usize) -> Vec<u8> {
        let number = self.log.len().to_le_bytes();
        number.iter().copied().cycle().take(length).collect()
    }

    fn moment(&self, when: &When) -> Timestamp {
        let clock = self.model.clock.max(JANUARY);
        Timestamp(match when {
            When::Hours(hours) => clock + hours * DAY / 24,
            When::HoursBack(hours) => clock - hours * DAY / 24,
            When::Deadline { ms_before } => self.model.next_deadline().map_or(clock, |next| next - ms_before),
        })
    }

    fn action(&self, ask: &Ask) -> Action {
        match ask {
            Ask::Checkout { feature, version, seats, data: None } => Action::Checkout {
                vendor: None,
                feature: (*feature).to_owned(),
                version: (*version).to_owned(),
                seats: Seats(*seats),
            },
            Ask::Checkout { feature, version, seats, data: Some(length) } => Action::CheckoutWith {
                vendor: None,
                feature: (*feature).to_owned(),
                version: (*version).to_owned(),
                seats: Seats(*seats),
                extras: vec![Extra::VendorData(self.some_bytes(*length))],
            },
            Ask::SetVendorData { handle, length } => Action::SetVendorData {
                handle: handle.map(|handle| *handle.get(&self.handles)),
                data: self.some_bytes(*length),
            },
            Ask::Checkin { handle, owner } => Action::Checkin {
                handle: *handle.get(&self.handles),
                owner: owner.map(|pick| pick.get(&self.sessions).1),
            },
            Ask::RemoveHandle(handle) => Action::Remove(Removal::Handle(*handle.get(&self.handles))),
            Ask::RemoveHolder { feature, who } => {
                let Identity { user, host, display, .. } = identity(*who);
                Action::Remove(Removal::Holder { feature: (*feature).to_owned(), user, host, display })
            }
            Ask::Maintain { role, on } => Action::Maintain { role: *role, on: *on },
            Ask::Prefer(role) => Action::PreferMaster { role: *role },
        }
    }

    fn apply(&mut self, index: LogIndex, proposal: Proposal) {
        let Applied { answer, events } = apply(&mut self.state, index, &proposal);
        let expected = self.model.apply(index, &proposal);
        assert_eq!(without_texts(answer.clone()), expected, "entry {index}: {:?}", proposal.command);
        match &answer.outcome {
            Outcome::SessionOpened { session } => {
                if let Command::OpenSession { token, .. } = &proposal.command {
                    self.sessions.push((*session, *token));
                }
            }
            Outcome::Granted { handle, .. } => self.handles.push(*handle),
            _ => {}
        }
        self.hear(index, &answer, &events);
        self.check_story();
        self.check_views();
        invariants::check(&self.state).unwrap();
        let bytes = self.state.to_bytes();
        let decoded = State::from_bytes(&bytes).unwrap();
        assert_eq!(decoded, self.state);
        assert_eq!((decoded.to_bytes(), decoded.digest()), (bytes, self.state.digest()));
        assert_eq!(Proposal::from_bytes(&proposal.to_bytes()).as_ref(), Ok(&proposal));
        self.log.push((index, proposal, answer));
    }

    /// An entry that was applied before changes nothing.
    fn refeed(&mut self, pick: &Index) {
        if !self.log.is_empty() {
            let (index, proposal, _) = pick.get(&self.log);
            let before = self.state.to_bytes();
            let applied = apply(&mut self.state, *index, proposal);
            assert!(matches!(applied.answer.outcome, Outcome::Denied(Denial::InvalidParameter { .. })));
            assert!(applied.events.is_empty());
            assert_eq!(self.state.to_bytes(), before);
        }
    }

    fn hear(&mut self, index: LogIndex, answer: &Answer, events: &[Event]) {
        assert!(answer.index == index || events.is_empty(), "an old answer caused {events:?}");
        for (place, event) in (0..).zip(events) {
            assert_eq!((event.index, event.ordinal, event.at), (index, place, self.state.clock()));
            match &event.kind {
                EventKind::Out(holding) => {
                    assert!(self.told_holdings.insert(holding.handle, holding.clone()).is_none());
                }
                EventKind::In { holding, .. } => {
                    assert_eq!(self.told_holdings.remove(&holding.handle).as_ref(), Some(holding));
                }
                EventKind::SessionOpened(session) => self.told_sessions.push(*session),
                EventKind::SessionEnded { session, .. } => {
                    self.told_data.remove(session);
                    self.told_sessions.retain(|known| known != session)
                }
                EventKind::VendorDataSet { session, handle: None, data } => {
                    self.told_data.insert(*session, data.clone());
                }
                EventKind::VendorDataSet { handle: Some(handle), data, .. } => {
                    self.told_holdings.get_mut(handle).unwrap().vendor_data = data.as_slice().into();
                }
                EventKind::TriadDataSet { key, digest: Some(digest) } => {
                    self.told_triad_data.insert(key.clone(), *digest);
                }
                EventKind::TriadDataSet { key, digest: None } => {
                    self.told_triad_data.remove(key).unwrap();
                }
                EventKind::Denied { denial, .. } => {
                    assert_eq!(answer.outcome, Outcome::Denied(denial.clone()));
                }
                EventKind::LicenseInstalled { .. }
                | EventKind::Maintenance { .. }
                | EventKind::EditionRaised { .. }
                | EventKind::Preference(_) => {}
                other => panic!("nobody asked for {other:?}"),
            }
        }
    }

    /// The state holds what the events said.
    fn check_story(&self) {
        let state = &self.state;
        assert_eq!(state.sessions().collect::<Vec<_>>(), self.told_sessions);
        let found: Vec<Holding> = state
            .checkouts()
            .map(|one| Holding {
                handle: one.handle,
                vendor: one.vendor.to_owned(),
                feature: one.feature.to_owned(),
                seats: one.seats,
                user: one.holder.identity.user.clone(),
                host: one.holder.identity.host.clone(),
                vendor_data: one.vendor_data.into(),
            })
            .collect();
        assert_eq!(found, self.told_holdings.values().cloned().collect::<Vec<_>>());
        for session in state.sessions() {
            let told = self.told_data.get(&session).map(Vec::as_slice).unwrap_or_default();
            assert_eq!(state.vendor_data(session), told);
        }
        let found = state.triad_data().map(|(key, value, _)| (key.to_owned(), Digest::of(value)));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), self.told_triad_data);
    }

    /// The state shows what the model knows.
    fn check_views(&self) {
        let (state, model) = (&self.state, &self.model);
        assert_eq!(state.clock().0, model.clock);
        assert_eq!(state.preferred_master(), model.preferred);
        assert_eq!(state.edition().0, model.edition);
        let found = state.triad_data().map(|(key, value, set_at)| (key.to_owned(), value.to_vec(), set_at.0));
        assert_eq!(found.collect::<Vec<_>>(), model.triad_data);
        for role in Role::ALL {
            assert_eq!(state.in_maintenance(role), model.maintenance.contains(&role));
        }
        let mut pools: Vec<_> = state
            .pools()
            .map(|pool| {
                let licensed = pool.licensed.map(|seats| u64::from(seats.0));
                (pool.feature.to_owned(), licensed, u64::from(pool.in_use.0))
            })
            .collect();
        let mut retired = pools.split_off(model.pools().len());
        retired.sort();
        assert_eq!((pools, retired), (model.pools(), model.retired()));
        let found: Vec<_> = state
            .checkouts()
            .map(|one| (one.handle, one.keeper, one.feature, one.version, one.seats.0, one.vendor_data))
            .collect();
        let expected: Vec<_> = model
            .checkouts
            .iter()
            .map(|one| {
                let keeper = Keeper::Session(one.session);
                let (version, data) = (one.version.as_str(), one.vendor_data.as_slice());
                (one.handle, keeper, one.feature(), version, one.seats, data)
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(state.checkout_count(), expected.len());
        for pair in expected.windows(2) {
            assert_eq!(state.checkouts_after(pair[0].0).next().map(|one| one.handle), Some(pair[1].0));
        }
        assert_eq!(state.next_deadline().map(|at| at.0), model.next_deadline());
        for session in &model.sessions {
            let Model { checkouts, .. } = model;
            assert_eq!(state.holder(session.id).map(|holder| &holder.identity), Some(&session.identity));
            assert_eq!(state.last_active(session.id), Some(session.last_active));
            assert_eq!(state.vendor_data(session.id), session.vendor_data);
            let held = checkouts.iter().filter(|one| one.session == session.id).map(|one| one.handle);
            let found = state.checkouts_of(session.id).map(|one| one.handle);
            assert_eq!(found.collect::<Vec<_>>(), held.collect::<Vec<_>>());
            for request in 0..12 {
                let kept = session.answers.iter().find(|(number, _)| *number == request);
                let expected = match kept {
                    Some((_, answer)) => Recalled::Answered(answer.clone()),
                    None if request <= session.forgotten => Recalled::Forgotten,
                    None => Recalled::NotSeen,
                };
                let found = match state.recall(session.id, &session.token, RequestId(request)) {
                    Recalled::Answered(answer) => Recalled::Answered(without_texts(answer)),
                    other => other,
                };
                assert_eq!(found, expected);
            }
        }
    }

    /// The same log again, from the start and from each snapshot, gives the same answers and bytes.
    fn replay(&self) {
        let mut starts = vec![(0, State::new())];
        for (from, clone, bytes) in &self.snapshots {
            assert_eq!(clone.to_bytes(), *bytes, "a clone changed after it was taken");
            starts.push((*from, State::from_bytes(bytes).unwrap()));
        }
        for (from, mut state) in starts {
            for (index, proposal, answer) in &self.log[from..] {
                assert_eq!(state.apply(*index, proposal).answer, *answer);
            }
            assert_eq!(state, self.state);
            assert_eq!(state.digest(), self.state.digest());
        }
    }
}

/// The answer without the explanations, which the model does not repeat.
fn without_texts(mut answer: Answer) -> Answer {
    if let Outcome::Denied(
        Denial::BadLicense { problems: text }
        | Denial::InvalidParameter { what: text }
        | Denial::NothingToRemove { what: text },
    ) = &mut answer.outcome
    {
        assert!(!text.is_empty());
        text.clear();
    }
    answer
}

proptest! {
    #[test]
    fn every_log_gets_the_answers_of_the_naive_model(
        known in vec(spec(), 1..5),
        installed in prop::bool::weighted(0.9),
        steps in vec((step(), when(), 0..3u64), 1..120),
    ) {
        let mut run = Run::new(known);
        if installed {
            let command = Command::Install(run.model.known[0].install());
            run.apply(LogIndex(1), Proposal { at: Timestamp(JANUARY), command });
        }
        for (step, when, gap) in &steps {
            run.take(step, when, *gap);
        }
        run.replay();
    }

    #[test]
    fn no_proposal_at_any_index_breaks_the_state(
        entries in vec((prop_oneof![4 => 0..30u64, 1 => any::<u64>()], any_proposal()), 1..40),
    ) {
        let mut state = State::new();
        for (step, proposal) in &entries {
            let (index, clock) = (state.last_index(), state.clock());
            apply(&mut state, LogIndex(index.0.saturating_add(*step).saturating_sub(2)), proposal);
            invariants::check(&state).unwrap();
            assert!(state.clock() >= clock && state.last_index() >= index);
            assert_eq!(State::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
            assert_eq!(Proposal::from_bytes(&proposal.to_bytes()).as_ref(), Ok(proposal));
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_as_a_consistent_state(
        known in spec(),
        steps in vec((step(), when(), 0..3u64), 1..40),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let mut run = Run::new(vec![known]);
        for (step, when, gap) in &steps {
            run.take(step, when, *gap);
        }
        let mut bytes = run.state.to_bytes();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(state) = State::from_bytes(&bytes) {
            invariants::check(&state).unwrap();
            assert_eq!(State::from_bytes(&state.to_bytes()).as_ref(), Ok(&state));
        }
        let _ = Proposal::from_bytes(&bytes);
    }
}
