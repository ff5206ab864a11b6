//! A license file as the test knows it: the lines it wrote, and what they mean.

use licensing_core::*;

/// 1-jan-2026 in ms since the epoch.
pub(crate) const JANUARY: u64 = 1_767_225_600_000;
pub(crate) const DAY: u64 = 86_400_000;

/// One feature line, as the test wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) increment: bool,
    pub(crate) feature: &'static str,
    /// Thousandths, and how the line spells it.
    pub(crate) version: (u32, &'static str),
    /// Days of January 2026.
    pub(crate) last_day: Option<u64>,
    pub(crate) first_day: Option<u64>,
    pub(crate) issued_day: Option<u64>,
    /// 0 is uncounted.
    pub(crate) seats: u32,
    pub(crate) sort: u32,
    pub(crate) vendor_string: &'static str,
}

impl Line {
    pub(crate) fn has_ended(&self, clock: u64) -> bool {
        self.last_day.is_some_and(|day| clock >= JANUARY + day * DAY)
    }

    fn has_started(&self, clock: u64) -> bool {
        self.first_day.is_none_or(|day| clock >= JANUARY + (day - 1) * DAY)
    }

    pub(crate) fn is_valid(&self, clock: u64) -> bool {
        self.has_started(clock) && !self.has_ended(clock)
    }

    pub(crate) fn key(&self) -> Key {
        (self.feature, self.version.0, self.seats == 0, self.vendor_string)
    }
}

/// What lines of one pool have in common.
pub(crate) type Key = (&'static str, u32, bool, &'static str);

/// A license file: what it says and how it reads.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) lines: Vec<Line>,
    pub(crate) host_id: &'static str,
}

impl Spec {
    pub(crate) fn text(&self) -> String {
        let mut text = format!("SERVER alpha {} 27000\nVENDOR acme\n", self.host_id);
        let day = |day: u64| format!("{day:02}-jan-2026");
        for line in &self.lines {
            let kind = if line.increment { "INCREMENT" } else { "FEATURE" };
            let expiry = line.last_day.map_or("permanent".to_owned(), day);
            let (feature, version) = (line.feature, line.version.1);
            text += &format!("{kind} {feature} acme {version} {expiry} {}", line.seats);
            // The host id is the same on all uncounted lines and so never keeps two of them apart.
            text += if line.seats == 0 { " HOSTID=ANY" } else { "" };
            text += &line.first_day.map(|first| format!(" START={}", day(first))).unwrap_or_default();
            text += &line.issued_day.map(|issued| format!(" ISSUED={}", day(issued))).unwrap_or_default();
            text += &format!(" VENDOR_STRING={} sort={} SIGN=0\n", line.vendor_string, line.sort);
        }
        text
    }

    pub(crate) fn install(&self) -> Install {
        Compiled::from_text("acme.lic", &self.text()).unwrap().into()
    }

    /// The lines that are used: of counted FEATURE lines only the first of a name.
    pub(crate) fn used(&self) -> Vec<&Line> {
        let mut used: Vec<&Line> = Vec::new();
        for line in &self.lines {
            let replaces = |other: &Line| !other.increment && other.seats > 0;
            let later = used.iter().any(|first| replaces(first) && first.feature == line.feature);
            if !(replaces(line) && later) {
                used.push(line);
            }
        }
        used
    }

    pub(crate) fn keys_in_file_order(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        for line in self.used() {
            if !keys.contains(&line.key()) {
                keys.push(line.key());
            }
        }
        keys
    }

    pub(crate) fn keys_in_scan_order(&self, feature: &str) -> Vec<Key> {
        let mut lines: Vec<(usize, &Line)> = self.used().into_iter().enumerate().collect();
        lines.retain(|(_, line)| line.feature == feature);
        lines.sort_by_key(|(place, line)| {
            // What was made on a later day goes first, what does not say so last.
            let made = 100 - line.issued_day.or(line.first_day).unwrap_or(0);
            (line.sort, line.increment, line.seats > 0, line.version.0, made, *place)
        });
        let mut keys = Vec::new();
        for (_, line) in lines {
            if !keys.contains(&line.key()) {
                keys.push(line.key());
            }
        }
        keys
    }
}
