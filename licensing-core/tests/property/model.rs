//! The rules of seats once more, written to be obviously right instead of fast: plain vectors, every sum computed
//! from scratch at every step, versions as thousandths, days as numbers of one month. It shares the vocabulary of
//! requests and answers with the crate and nothing else; it never parses a license, because the test that wrote the
//! text tells it what it means.

use licensing_core::*;

use crate::spec::{DAY, JANUARY, Key, Line, Spec};

pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) token: Token,
    pub(crate) identity: Identity,
    pub(crate) last_active: LogIndex,
    pub(crate) forgotten: u64,
    pub(crate) answers: Vec<(u64, Answer)>,
    pub(crate) vendor_data: Vec<u8>,
}

pub(crate) struct Checkout {
    pub(crate) handle: Handle,
    pub(crate) session: SessionId,
    key: Key,
    pub(crate) seats: u32,
    pub(crate) version: String,
    pub(crate) vendor_data: Vec<u8>,
}

impl Checkout {
    pub(crate) fn feature(&self) -> &'static str {
        self.key.0
    }
}

#[derive(Default)]
pub(crate) struct Model {
    /// Every license text the test may install, with its meaning.
    pub(crate) known: Vec<Spec>,
    pub(crate) clock: u64,
    pub(crate) license: Option<Spec>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) checkouts: Vec<Checkout>,
    pub(crate) preferred: Option<Role>,
    pub(crate) maintenance: Vec<Role>,
    pub(crate) edition: u32,
    /// Key, value, and the entry that set it.
    pub(crate) triad_data: Vec<(String, Vec<u8>, u64)>,
}

/// A text of the crate that the model does not repeat.
fn some_text() -> String {
    String::new()
}

impl Model {
    pub(crate) fn apply(&mut self, index: LogIndex, proposal: &Proposal) -> Answer {
        self.clock = self.clock.max(proposal.at.0);
        if let Command::Call(call) = &proposal.command {
            return self.call(index, call);
        }
        let outcome = match &proposal.command {
            Command::Install(install) => self.install(install),
            Command::OpenSession { token, identity, .. } => self.open(index, *token, identity),
            Command::CloseSession { session, token } => match self.speaks(*session, *token) {
                Some(denial) => Outcome::Denied(denial),
                None => Outcome::SessionClosed { returned: self.end(*session) },
            },
            Command::Expire { sessions, judged_at } => {
                let mut ended = Vec::new();
                for id in sessions {
                    if self.sessions.iter().any(|known| known.id == *id && known.last_active <= *judged_at) {
                        self.end(*id);
                        ended.push(*id);
                    }
                }
                Outcome::Expired { sessions: ended }
            }
            Command::Call(_) | Command::Tick => Outcome::Ticked,
            Command::RaiseEdition { to } => {
                self.edition = self.edition.max(to.0);
                Outcome::EditionRaised { edition: Edition(self.edition) }
            }
            Command::SetTriadData { key, value, believed } => {
                self.set_triad_data(index, key, value, *believed)
            }
            Command::Stage { .. } | Command::HoldEdition { .. } => panic!("no step asks for this"),
        };
        self.answer(index, outcome)
    }

    fn answer(&self, index: LogIndex, outcome: Outcome) -> Answer {
        Answer { index, at: Timestamp(self.clock), outcome }
    }

    fn install(&mut self, install: &Install) -> Outcome {
        let denied = Outcome::Denied(Denial::BadLicense { problems: some_text() });
        let Install::Whole(compiled) = install else {
            return Outcome::Denied(Denial::PartsMissing { parts: 0 });
        };
        let spec = self.known.iter().find(|spec| spec.text() == compiled.text()).cloned();
        let Some(spec) = spec else { return denied };
        if self.license.as_ref().is_some_and(|old| old.host_id != spec.host_id) {
            return denied;
        }
        let pools = spec.keys_in_file_order().len() as u32;
        self.license = Some(spec);
        Outcome::Installed { pools }
    }

    fn open(&mut self, index: LogIndex, token: Token, identity: &Identity) -> Outcome {
        if let Some(known) = self.sessions.iter_mut().find(|known| known.token == token) {
            known.last_active = index;
            return Outcome::SessionOpened { session: known.id };
        }
        let id = SessionId(index.0);
        let identity = identity.clone();
        self.sessions.push(Session {
            id,
            token,
            identity,
            last_active: index,
            forgotten: 0,
            answers: Vec::new(),
            vendor_data: Vec::new(),
        });
        Outcome::SessionOpened { session: id }
    }

    fn speaks(&self, session: SessionId, token: Token) -> Option<Denial> {
        match self.sessions.iter().find(|known| known.id == session) {
            None => Some(Denial::UnknownSession { session }),
            Some(known) if known.token != token => Some(Denial::WrongToken { session }),
            Some(_) => None,
        }
    }

    fn end(&mut self, session: SessionId) -> Vec<Handle> {
        self.sessions.retain(|known| known.id != session);
        self.take(|checkout| checkout.session == session)
    }

    fn take(&mut self, wanted: impl Fn(&Checkout) -> bool) -> Vec<Handle> {
        let taken = self.checkouts.iter().filter(|one| wanted(one)).map(|one| one.handle).collect();
        self.checkouts.retain(|one| !wanted(one));
        taken
    }

    fn call(&mut self, index: LogIndex, call: &Call) -> Answer {
        if let Some(denial) = self.speaks(call.session, call.token) {
            return self.answer(index, Outcome::Denied(denial));
        }
        let place = self.sessions.iter().position(|known| known.id == call.session).unwrap();
        let (request, acknowledged) = (call.request.0, call.acknowledged.0);
        let session = &mut self.sessions[place];
        session.last_active = index;
        if request <= session.forgotten {
            return self.answer(index, Outcome::Denied(Denial::ForgottenRequest { request: call.request }));
        }
        let sound = acknowledged < request;
        if sound {
            session.forgotten = session.forgotten.max(acknowledged);
            let forgotten = session.forgotten;
            session.answers.retain(|(number, _)| *number > forgotten);
        }
        let old = session.answers.iter().find(|(number, _)| *number == request).map(|(_, old)| old.clone());
        let full = session.answers.len() >= 64;
        match old {
            Some(old) if sound => old,
            None if full => self.answer(index, Outcome::Denied(Denial::TooManyUnanswered { limit: 64 })),
            _ if !sound => {
                self.answer(index, Outcome::Denied(Denial::InvalidParameter { what: some_text() }))
            }
            _ => {
                let outcome = self.act(index, call.session, &call.action);
                let answer = self.answer(index, outcome);
                self.sessions[place].answers.push((request, answer.clone()));
                answer
            }
        }
    }

    fn check_out(
        &mut self,
        index: LogIndex,
        session: SessionId,
        feature: &str,
        version: &str,
        seats: Seats,
        vendor_data: &[u8],
    ) -> Outcome {
        match self.choose(feature, version, seats.0) {
            Err(denial) => Outcome::Denied(denial),
            Ok(key) => {
                let (handle, version, vendor_data) =
                    (Handle(index.0), version.to_owned(), vendor_data.to_vec());
                self.checkouts.push(Checkout { handle, session, key, seats: seats.0, version, vendor_data });
                Outcome::Granted { handle, seats }
            }
        }
    }

    fn set_triad_data(
        &mut self,
        index: LogIndex,
        key: &str,
        value: &Option<Vec<u8>>,
        believed: Option<LogIndex>,
    ) -> Outcome {
        if self.edition < 3 {
            return Outcome::Denied(Denial::InvalidParameter { what: some_text() });
        }
        if key.is_empty() {
            return Outcome::Denied(Denial::InvalidParameter { what: some_text() });
        }
        let known = self.triad_data.iter().find(|(known, ..)| known == key);
        let set_at = known.map(|(_, _, set_at)| *set_at);
        if believed.is_some_and(|believed| believed.0 != set_at.unwrap_or(0)) {
            let set_at = set_at.map(LogIndex);
            return Outcome::Denied(Denial::VendorDataChanged { key: key.to_owned(), set_at });
        }
        if known.map(|(_, old, _)| old) == value.as_ref() {
            return Outcome::VendorDataSet { set_at: set_at.map(LogIndex) };
        }
        self.triad_data.retain(|(known, ..)| known != key);
        self.triad_data.extend(value.clone().map(|value| (key.to_owned(), value, index.0)));
        self.triad_data.sort();
        Outcome::VendorDataSet { set_at: value.is_some().then_some(index) }
    }

    fn act(&mut self, index: LogIndex, session: SessionId, action: &Action) -> Outcome {
        match action {
            Action::Checkout { feature, version, seats, .. } => {
                self.check_out(index, session, feature, version, *seats, &[])
            }
            Action::CheckoutWith { feature, version, seats, extras, .. } => {
                let [Extra::VendorData(data)] = extras.as_slice() else { panic!("no step asks for this") };
                if self.edition < 3 || data.len() > 1024 {
                    return Outcome::Denied(Denial::InvalidParameter { what: some_text() });
                }
                self.check_out(index, session, feature, version, *seats, data)
            }
            Action::SetVendorData { handle, data } => {
                if self.edition < 3 || data.len() > 1024 {
                    return Outcome::Denied(Denial::InvalidParameter { what: some_text() });
                }
                if let Some(handle) = *handle {
                    let Some(one) = self.checkouts.iter_mut().find(|one| one.handle == handle) else {
                        return Outcome::Denied(Denial::UnknownHandle { handle });
                    };
                    if one.session != session {
                        return Outcome::Denied(Denial::NotTheHolder { handle });
                    }
                    one.vendor_data = data.clone();
                } else {
                    let own = self.sessions.iter_mut().find(|known| known.id == session).unwrap();
                    own.vendor_data = data.clone();
                }
                Outcome::VendorDataSet { set_at: (!data.is_empty()).then_some(index) }
            }
            Action::Checkin { handle, owner } => {
                let holder = self.checkouts.iter().find(|one| one.handle == *handle).map(|one| one.session);
                let Some(holder) = holder else {
                    return Outcome::Denied(Denial::UnknownHandle { handle: *handle });
                };
                let token = self.sessions.iter().find(|known| known.id == holder).map(|known| known.token);
                if holder != session && (owner.is_none() || *owner != token) {
                    return Outcome::Denied(Denial::NotTheHolder { handle: *handle });
                }
                self.take(|one| one.handle == *handle);
                Outcome::Returned { handle: *handle }
            }
            Action::Remove(removal) => {
                let holders: Vec<(SessionId, Identity)> =
                    self.sessions.iter().map(|known| (known.id, known.identity.clone())).collect();
                let taken = self.take(|one| match removal {
                    Removal::Handle(handle) => one.handle == *handle,
                    Removal::Holder { feature, user, host, display } => holders.iter().any(|(id, who)| {
                        (*id, one.feature()) == (one.session, feature)
                            && (&who.user, &who.host, &who.display) == (user, host, display)
                    }),
                });
                match taken.is_empty() {
                    true => Outcome::Denied(Denial::NothingToRemove { what: some_text() }),
                    false => Outcome::Removed { handles: taken },
                }
            }
            Action::Maintain { role, on } => {
                self.maintenance.retain(|kept| kept != role);
                self.maintenance.extend(on.then_some(*role));
                Outcome::Maintained { role: *role, on: *on }
            }
            Action::PreferMaster { role: Some(Role::Tertiary) } => {
                Outcome::Denied(Denial::InvalidParameter { what: some_text() })
            }
            Action::PreferMaster { role } => {
                self.preferred = *role;
                Outcome::Preferred { role: *role }
            }
        }
    }

    /// The pool for a checkout. Judges in the order in which the denials are listed.
    fn choose(&self, feature: &str, version: &str, seats: u32) -> Result<Key, Denial> {
        if seats == 0 {
            return Err(Denial::InvalidParameter { what: some_text() });
        }
        let thousandths =
            thousandths(version).ok_or_else(|| Denial::BadVersion { version: version.to_owned() })?;
        let license = self.license.as_ref().ok_or(Denial::NoLicense)?;
        let feature = feature.to_owned();
        let lines: Vec<&Line> = license.used().into_iter().filter(|line| line.feature == feature).collect();
        // Of two spellings of the highest version, the one that would be tried last.
        let scanned = license.keys_in_scan_order(&feature);
        let highest = scanned.iter().max_by_key(|key| key.1);
        let highest = lines.iter().find(|line| Some(&line.key()) == highest);
        let Some(highest) = highest else { return Err(Denial::UnknownFeature { feature }) };
        let enough: Vec<&&Line> = lines.iter().filter(|line| line.version.0 >= thousandths).collect();
        if enough.is_empty() {
            let (requested, licensed) = (version.to_owned(), highest.version.1.to_owned());
            return Err(Denial::VersionNotLicensed { feature, requested, licensed });
        }
        if !enough.iter().any(|line| line.is_valid(self.clock)) {
            let day = |day: u64| format!("{day:02}-jan-2026");
            let waiting = enough.iter().filter(|line| !line.has_ended(self.clock));
            return Err(match waiting.filter_map(|line| line.first_day).min() {
                Some(first) => Denial::NotStarted { feature, starts: day(first) },
                None => {
                    let last = enough.iter().filter_map(|line| line.last_day).max().unwrap();
                    Denial::Expired { feature, expired: day(last) }
                }
            });
        }
        let (mut most, mut last) = (0, None);
        for key in license.keys_in_scan_order(&feature) {
            if key.1 < thousandths || !lines.iter().any(|line| line.key() == key && line.is_valid(self.clock))
            {
                continue;
            }
            let (licensed, in_use) = (self.licensed(key), self.in_use(key));
            if key.2 || in_use + u64::from(seats) <= licensed {
                return Ok(key);
            }
            most = most.max(licensed);
            if licensed >= u64::from(seats) {
                last = Some((Seats(in_use as u32), Seats(licensed as u32)));
            }
        }
        let requested = Seats(seats);
        Err(match last {
            Some((in_use, licensed)) => Denial::NoFreeSeats { feature, requested, in_use, licensed },
            None => Denial::MoreThanLicensed { feature, requested, licensed: Seats(most as u32) },
        })
    }

    /// When the next line starts or ends.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let lines = self.license.iter().flat_map(|license| license.used());
        let moments = lines.flat_map(|line| {
            let start = line.first_day.map(|day| JANUARY + (day - 1) * DAY);
            [start, line.last_day.map(|day| JANUARY + day * DAY)]
        });
        moments.flatten().filter(|moment| *moment > self.clock).min()
    }

    fn licensed(&self, key: Key) -> u64 {
        let lines = self.license.iter().flat_map(|license| license.used());
        let valid = lines.filter(|line| line.key() == key && line.is_valid(self.clock));
        valid.map(|line| u64::from(line.seats)).sum()
    }

    fn in_use(&self, key: Key) -> u64 {
        self.checkouts.iter().filter(|one| one.key == key).map(|one| u64::from(one.seats)).sum()
    }

    /// Feature, licensed seats (`None` uncounted) and seats out of each pool of the license, in file order.
    pub(crate) fn pools(&self) -> Vec<(String, Option<u64>, u64)> {
        let keys = self.license.iter().flat_map(|license| license.keys_in_file_order());
        let pool = |key: Key| (key.0.to_owned(), (!key.2).then(|| self.licensed(key)), self.in_use(key));
        keys.map(pool).collect()
    }

    /// The same of the pools that only checkouts remember, sorted.
    pub(crate) fn retired(&self) -> Vec<(String, Option<u64>, u64)> {
        let keys = self.license.iter().flat_map(|license| license.keys_in_file_order());
        let listed: Vec<Key> = keys.collect();
        let mut gone: Vec<Key> = self.checkouts.iter().map(|one| one.key).collect();
        gone.retain(|key| !listed.contains(key));
        gone.sort();
        gone.dedup();
        let mut pools: Vec<_> =
            gone.iter().map(|key| (key.0.to_owned(), Some(0), self.in_use(*key))).collect();
        pools.sort();
        pools
    }
}

/// `2.1` is 2100; at most three digits behind the point, as the test writes them.
fn thousandths(version: &str) -> Option<u32> {
    let (integer, fraction) = version.split_once('.').unwrap_or((version, ""));
    let integer: u32 = integer.parse().ok()?;
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    Some(integer * 1000 + fraction)
}
