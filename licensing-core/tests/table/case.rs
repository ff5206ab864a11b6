//! One case of a table: its state, its actors, and what a request of them is answered.

use std::collections::{BTreeMap, BTreeSet};

use licensing_core::*;

use crate::words::{compiled_license, identity, listed, moment, option, parts_of, token};

#[derive(Default)]
pub(crate) struct Case {
    pub(crate) state: State,
    pub(crate) at: u64,
    pub(crate) mark: Option<LogIndex>,
    /// Actors: their session and the number of their last request.
    pub(crate) sessions: BTreeMap<String, SessionId>,
    pub(crate) requests: BTreeMap<String, u64>,
    pub(crate) handles: BTreeMap<String, Handle>,
    pub(crate) events: Vec<Event>,
}

impl Case {
    /// What the last column should say.
    pub(crate) fn answer_line(
        &mut self,
        words: &[&str],
        expected: &str,
        licenses: &BTreeMap<String, String>,
    ) -> Result<String, String> {
        Ok(match words {
            ["pools"] => self.pools(),
            ["checkouts"] => self.checkouts(),
            ["events"] if self.events.is_empty() => "nothing".to_owned(),
            ["events"] => self.events.iter().map(|event| self.event(event)).collect::<Vec<_>>().join(", "),
            ["clock"] => self.same_moment(Some(self.state.clock()), expected),
            ["deadline"] => self.same_moment(self.state.next_deadline(), expected),
            ["master"] => self.master(),
            ["recall", who, request] => self.recall(who, request.parse().map_err(|_| "no number")?),
            ["master", "tick"] => self.ask(Command::Tick, expected),
            ["master", "install", name] => {
                let text = licenses.get(*name).ok_or("no such license")?;
                self.ask(Command::Install(compiled_license(text)?.into()), expected)
            }
            ["master", "install", "parts", name] => {
                let bytes = parts_of(licenses, name)?;
                self.ask(Command::Install(Install::Staged { digest: Digest::of(&bytes) }), expected)
            }
            ["master", "stage", name, part, "of", parts] => {
                let bytes = parts_of(licenses, name)?;
                let number = |text: &str| text.parse::<usize>().map_err(|_| format!("no number: {text}"));
                let (part, parts) = (number(part)?, number(parts)?);
                let length = bytes.len().div_ceil(parts);
                let piece = bytes.chunks(length).nth(part).unwrap_or_default().to_vec();
                let digest = Digest::of(&bytes);
                self.ask(Command::Stage { digest, part: part as u32, bytes: piece }, expected)
            }
            ["data", who] => shown(self.state.vendor_data(self.session(who))),
            ["triad"] => self.triad_data(),
            ["master", "set", key, rest @ ..] => {
                let believed = option(rest, "believed").map(|index| index.parse().map(LogIndex));
                let believed = believed.transpose().map_err(|_| "no number")?;
                let value =
                    rest.iter().find(|word| !word.contains('=')).map(|value| value.as_bytes().to_vec());
                self.ask(Command::SetTriadData { key: (*key).to_owned(), value, believed }, expected)
            }
            ["master", "hold", on] => self.ask(Command::HoldEdition { on: *on == "on" }, expected),
            ["master", "raise", edition] => {
                let to = Edition(edition.parse().map_err(|_| "no number")?);
                self.ask(Command::RaiseEdition { to }, expected)
            }
            ["master", "expire", who @ ..] => {
                let sessions = who.iter().map(|who| self.session(who)).collect();
                let judged_at = self.mark.unwrap_or(self.state.last_index());
                self.ask(Command::Expire { sessions, judged_at }, expected)
            }
            ["crowd", count] => {
                for number in 1..=count.parse::<u64>().map_err(|_| "no number")? {
                    let who = format!("crowd-{number}");
                    let command = Command::OpenSession {
                        token: token(&who),
                        identity: identity(&who, &[]),
                        address: None,
                    };
                    let found = self.ask(command, expected);
                    if !found.starts_with("opened ") {
                        return Ok(found);
                    }
                }
                "crowded".to_owned()
            }
            [who, "open", who_else @ ..] => self.open(who, who_else, expected),
            [who, "close", options @ ..] => {
                let token = token(option(options, "token").unwrap_or(who));
                self.ask(Command::CloseSession { session: self.session(who), token }, expected)
            }
            [who, call @ ..] => self.call(who, call, expected)?,
            [] => String::new(),
        })
    }

    fn open(&mut self, who: &str, who_else: &[&str], expected: &str) -> String {
        let command =
            Command::OpenSession { token: token(who), identity: identity(who, who_else), address: None };
        let known = self.sessions.get(who).copied();
        let found = self.ask(command, expected);
        if let Some(session) = found.strip_prefix("opened ").and_then(|id| id.parse().ok().map(SessionId)) {
            self.sessions.insert(who.to_owned(), session);
            return if known == Some(session) { "opened again" } else { "opened" }.to_owned();
        }
        found
    }

    fn call(&mut self, who: &str, words: &[&str], expected: &str) -> Result<String, String> {
        let next = self.requests.get(who).copied().unwrap_or(0) + 1;
        let (requests, acknowledged, words) = match words {
            [numbers, rest @ ..] if numbers.contains('/') => {
                let (requests, acknowledged) = numbers.split_once('/').ok_or("no numbers")?;
                let (first, last) = requests.split_once("..").unwrap_or((requests, requests));
                let number = |text: &str| text.parse::<u64>().map_err(|_| format!("no number: {text}"));
                (number(first)?..=number(last)?, number(acknowledged)?, rest)
            }
            words => (next..=next, next - 1, words),
        };
        let speaker = option(words, "token").unwrap_or(who);
        let owner = option(words, "owner").map(token);
        let vendor = option(words, "vendor");
        let data = option(words, "data").map(|data| data.as_bytes().to_vec()).unwrap_or_default();
        let words: Vec<&str> = words.iter().copied().filter(|word| !word.contains('=')).collect();
        let action = self.action(&words, owner, vendor, data)?;
        let mut found = BTreeSet::new();
        for request in requests {
            self.requests.insert(who.to_owned(), request);
            let call = Call {
                session: self.session(who),
                token: token(speaker),
                request: RequestId(request),
                acknowledged: RequestId(acknowledged),
                action: action.clone(),
            };
            found.insert(self.ask(Command::Call(call), expected));
        }
        Ok(found.into_iter().collect::<Vec<_>>().join(" or "))
    }

    fn action(
        &self,
        words: &[&str],
        owner: Option<Token>,
        vendor: Option<&str>,
        data: Vec<u8>,
    ) -> Result<Action, String> {
        let text = |word: &&str| (*word).to_owned();
        Ok(match words {
            ["checkout", feature, version, seats @ ..] => {
                let seats = seats.first().unwrap_or(&"1").parse().map_err(|_| "no number of seats")?;
                let (feature, version) = (text(feature), text(version));
                Action::checkout(vendor.map(str::to_owned), feature, version, Seats(seats), data)
            }
            ["data", handle, data @ ..] if handle.starts_with('#') => {
                let data = data.concat().into_bytes();
                Action::SetVendorData { handle: Some(self.handle(handle)?), data }
            }
            ["data", data @ ..] => Action::SetVendorData { handle: None, data: data.concat().into_bytes() },
            ["checkin", handle] => Action::Checkin { handle: self.handle(handle)?, owner },
            ["remove", handle] => Action::Remove(Removal::Handle(self.handle(handle)?)),
            ["remove", feature, user, host, display] => Action::Remove(Removal::Holder {
                feature: text(feature),
                user: text(user),
                host: text(host),
                display: text(display),
            }),
            ["maintain", role, on] => {
                Action::Maintain { role: role.parse().map_err(|_| "no such role")?, on: *on == "on" }
            }
            ["prefer", "nobody"] => Action::PreferMaster { role: None },
            ["prefer", role] => {
                Action::PreferMaster { role: Some(role.parse().map_err(|_| "no such role")?) }
            }
            other => return Err(format!("no such request: {other:?}")),
        })
    }

    /// Applies the command as the next log entry; the outcome as a table writes it.
    fn ask(&mut self, command: Command, expected: &str) -> String {
        let index = LogIndex(self.state.last_index().0 + 1);
        let applied = apply(&mut self.state, index, &Proposal { at: Timestamp(self.at), command });
        self.events = applied.events;
        match applied.answer.outcome {
            Outcome::Installed { pools } => format!("installed {pools}"),
            Outcome::SessionOpened { session } => format!("opened {session}"),
            Outcome::SessionClosed { returned } => listed("closed", self.labels(&returned)),
            Outcome::Expired { sessions } => {
                listed("expired", sessions.iter().map(|session| self.actor(*session)))
            }
            Outcome::Granted { handle, .. } => {
                // The first time a label stands in the last column, it names the new handle.
                let label =
                    expected.strip_prefix("granted #").filter(|label| !self.handles.contains_key(*label));
                if let Some(label) = label.filter(|_| !self.handles.values().any(|known| *known == handle)) {
                    self.handles.insert(label.to_owned(), handle);
                }
                format!("granted {}", self.label(handle))
            }
            Outcome::Returned { handle } => format!("returned {}", self.label(handle)),
            Outcome::Removed { handles } => listed("removed", self.labels(&handles)),
            Outcome::Maintained { role, on } => {
                format!("maintained {role} {}", if on { "on" } else { "off" })
            }
            Outcome::Preferred { role } => format!("preferred {}", role.map_or("nobody", Role::name)),
            Outcome::Ticked => "ticked".to_owned(),
            Outcome::Denied(denial) => format!("no {}", self.denial(&denial)),
            Outcome::Staged { parts } => format!("staged {parts}"),
            Outcome::EditionRaised { edition } => format!("edition {edition}"),
            Outcome::VendorDataSet { set_at } => {
                if set_at.is_some() { "data set" } else { "data gone" }.to_owned()
            }
            Outcome::EditionHeld { on } => format!("hold {}", if on { "on" } else { "off" }),
            other => format!("{other:?}"),
        }
    }

    /// The reason's name and its facts.
    fn denial(&self, denial: &Denial) -> String {
        let name = format!("{denial:?}");
        let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
        let facts = match denial {
            Denial::NoLicense => return name,
            Denial::UnknownSession { session } | Denial::WrongToken { session } => self.actor(*session),
            Denial::ForgottenRequest { request } => request.to_string(),
            Denial::TooManyUnanswered { limit } | Denial::TooManySessions { limit } => limit.to_string(),
            Denial::BadLicense { problems } => problems.clone(),
            Denial::InvalidParameter { what } | Denial::NothingToRemove { what } => what.clone(),
            Denial::BadVersion { version } => version.clone(),
            Denial::UnknownFeature { feature } => feature.clone(),
            Denial::VersionNotLicensed { licensed, .. } => format!("above {licensed}"),
            Denial::NotStarted { starts, .. } => format!("until {starts}"),
            Denial::Expired { expired, .. } => format!("after {expired}"),
            Denial::MoreThanLicensed { requested, licensed, .. } => format!("{requested} of {licensed}"),
            Denial::NoFreeSeats { in_use, licensed, .. } => format!("{in_use}/{licensed}"),
            Denial::UnknownHandle { handle } | Denial::NotTheHolder { handle } => self.label(*handle),
            Denial::UnknownVendor { vendor } => vendor.clone(),
            Denial::PartsMissing { parts } => parts.to_string(),
            Denial::VendorDataFull { limit } => limit.to_string(),
            Denial::VendorDataChanged { key, set_at } => {
                format!("{key} {}", set_at.map_or("none".to_owned(), |index| index.to_string()))
            }
            other => format!("{other:?}"),
        };
        format!("{name} {facts}")
    }

    fn event(&self, event: &Event) -> String {
        match &event.kind {
            EventKind::Out(holding) => format!("OUT {}", self.holding(holding)),
            EventKind::In { holding, why } => format!("IN {} {why:?}", self.holding(holding)),
            EventKind::Denied { feature, seats, user, host, denial } => {
                format!("DENIED {feature} {seats} {user}@{host} {}", self.denial(denial))
            }
            EventKind::SessionOpened(session) => format!("SESSION {session}"),
            EventKind::SessionEnded { session, expired } => {
                format!("{} {}", if *expired { "EXPIRED" } else { "CLOSED" }, self.actor(*session))
            }
            EventKind::LicenseInstalled { vendor, pools } => format!("INSTALLED {vendor} {pools}"),
            EventKind::EditionRaised { edition } => format!("EDITION {edition}"),
            EventKind::EditionHeld { on } => format!("HOLD {}", if *on { "on" } else { "off" }),
            EventKind::VendorDataSet { session, handle, data } => {
                let handle = handle.map(|handle| self.label(handle) + " ").unwrap_or_default();
                format!("DATA {} {handle}{}", self.actor(*session), shown(data))
            }
            EventKind::TriadDataSet { key, digest } => {
                format!("TRIAD {key} {}", if digest.is_some() { "set" } else { "gone" })
            }
            EventKind::Maintenance { role, on } => {
                format!("MAINTENANCE {role} {}", if *on { "on" } else { "off" })
            }
            EventKind::Preference(role) => format!("PREFERENCE {}", role.map_or("nobody", Role::name)),
            other => format!("{other:?}"),
        }
    }

    fn holding(&self, holding: &Holding) -> String {
        let Holding { handle, feature, seats, user, host, vendor_data, .. } = holding;
        format!("{} {feature} {seats} {user}@{host}{}", self.label(*handle), behind(vendor_data))
    }

    fn pools(&self) -> String {
        let pools = self.state.pools().map(|pool| {
            let licensed = pool.licensed.map_or("uncounted".to_owned(), |seats| seats.to_string());
            format!("{} {} {}/{licensed} {}", pool.feature, pool.version, pool.in_use, pool.expires)
        });
        let pools = pools.collect::<Vec<_>>().join(", ");
        if pools.is_empty() { "none".to_owned() } else { pools }
    }

    fn checkouts(&self) -> String {
        let checkouts = self.state.checkouts().map(|checkout| {
            let CheckoutView {
                handle, keeper, feature, licensed_version, version, seats, vendor_data, ..
            } = checkout;
            let session = keeper.session().map_or("nobody".to_owned(), |session| self.actor(session));
            let handle = self.label(handle);
            let data = behind(vendor_data);
            format!("{handle} {session} {feature} {version} of {licensed_version} {seats}{data}")
        });
        checkouts.collect::<Vec<_>>().join(", ")
    }

    fn triad_data(&self) -> String {
        let all = self.state.triad_data().map(|(key, value, at)| format!("{key} {} at {at}", shown(value)));
        let all = all.collect::<Vec<_>>().join(", ");
        if all.is_empty() { "none".to_owned() } else { all }
    }

    fn master(&self) -> String {
        let kept = Role::ALL.into_iter().filter(|role| self.state.in_maintenance(*role)).map(Role::name);
        let preferred = self.state.preferred_master().map_or("nobody", Role::name);
        format!("{preferred}, maintenance [{}]", kept.collect::<Vec<_>>().join(" "))
    }

    fn recall(&self, who: &str, request: u64) -> String {
        match self.state.recall(self.session(who), &token(who), RequestId(request)) {
            Recalled::Answered(answer) => format!("answered at {}", answer.index),
            Recalled::NotSeen => "not seen".to_owned(),
            Recalled::Forgotten => "forgotten".to_owned(),
            Recalled::NoSession => "no session".to_owned(),
        }
    }

    /// The expected text, if it means the same moment.
    fn same_moment(&self, found: Option<Timestamp>, expected: &str) -> String {
        match found {
            None => "none".to_owned(),
            Some(found) if found.0 == moment(&expected.split(' ').collect::<Vec<_>>()) => expected.to_owned(),
            Some(found) => format!("{found} ms"),
        }
    }

    fn handle(&self, word: &str) -> Result<Handle, String> {
        let label = word.strip_prefix('#').ok_or("a handle begins with #")?;
        let known = self.handles.get(label).copied();
        known.or_else(|| label.parse().ok().map(Handle)).ok_or_else(|| format!("no handle {word}"))
    }

    fn label(&self, handle: Handle) -> String {
        let label = self.handles.iter().find(|(_, known)| **known == handle);
        label.map_or_else(|| format!("#{handle}"), |(label, _)| format!("#{label}"))
    }

    fn labels(&self, handles: &[Handle]) -> impl Iterator<Item = String> {
        handles.iter().map(|handle| self.label(*handle))
    }

    fn session(&self, who: &str) -> SessionId {
        self.sessions.get(who).copied().unwrap_or(SessionId(1_000_000))
    }

    fn actor(&self, session: SessionId) -> String {
        let actor = self.sessions.iter().find(|(_, known)| **known == session);
        actor.map_or_else(|| "nobody".to_owned(), |(who, _)| who.clone())
    }
}

fn shown(data: &[u8]) -> String {
    format!("({})", String::from_utf8_lossy(data))
}

fn behind(data: &[u8]) -> String {
    if data.is_empty() { String::new() } else { format!(" {}", shown(data)) }
}
