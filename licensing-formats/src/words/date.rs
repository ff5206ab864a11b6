//! Calendar days as license files write them: `31-dec-2099`, and the expiry that may be `permanent`.
//!
//! The property kept: a [`Date`] is always a real day of the Gregorian calendar, years 1 to 9999, also after
//! deserialisation. Days are UTC days, because three servers in different time zones must agree on the
//! moment a license ends. This file never asks what day it is.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MS_PER_DAY: u64 = 86_400_000;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A day of the calendar. Parses `dd-mmm-yyyy` in any letter case, leading zero optional; displays as
/// `31-dec-2099`; serialised as that text (FlexNet License Administration Guide, FEATURE and INCREMENT
/// Lines: `exp_date`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    // In this order, so that the derived comparison is the calendar's.
    year: u16,
    month: u8,
    day: u8,
}

/// When a feature stops being usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Expiry {
    /// Usable through the end of that day (UTC).
    On(Date),
    /// Never. Sorts after every day.
    Permanent,
}

/// Why a text is not a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DateError {
    /// Not three parts with `-` between them.
    #[error("it is not of the form dd-mmm-yyyy")]
    Shape,
    /// The middle part is not an English month of three letters.
    #[error("there is no such month")]
    Month,
    /// The first part is not a day of that month.
    #[error("there is no such day")]
    Day,
    /// The last part is not a year of four digits (or two, meaning 19xx).
    #[error("the year does not have four digits")]
    Year,
    /// Year zero, which stands for "permanent" in expiry dates and means nothing elsewhere.
    #[error("there is no year zero")]
    YearZero,
}

/// What a date field says, before deciding whether "never" is allowed there.
pub(crate) enum Written {
    /// Year zero in any of its spellings.
    Never,
    /// A day; `two_digit_year` when the century was left out and 1900 was added.
    Day { date: Date, two_digit_year: bool },
}

impl Date {
    /// The day, or `None` when the calendar has no such day. `year` 1 to 9999, `month` and `day` from 1.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Date> {
        let valid = (1..=9999).contains(&year) && day >= 1 && day <= days_in(year, month);
        valid.then_some(Date { year, month, day })
    }

    /// The year, 1 to 9999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u8 {
        self.day
    }

    /// First millisecond of the day since the Unix epoch, UTC; 0 for days before 1970.
    pub fn start_ms(self) -> u64 {
        self.days_since_epoch().map_or(0, |days| days.saturating_mul(MS_PER_DAY))
    }

    /// First millisecond after the day since the Unix epoch, UTC; 0 for days before 1970.
    pub fn end_ms(self) -> u64 {
        let next = self.days_since_epoch().map(|days| days.saturating_add(1));
        next.map_or(0, |days| days.saturating_mul(MS_PER_DAY))
    }

    /// Days since 1-jan-1970, `None` before it. Counts in years that begin in March, so that the leap day
    /// is the last of its year and the months before it need no exception.
    fn days_since_epoch(self) -> Option<u64> {
        let (month, day) = (u64::from(self.month), u64::from(self.day));
        let (year, month_from_march) = if month > 2 {
            (u64::from(self.year), month - 3)
        } else {
            (u64::from(self.year).checked_sub(1)?, month + 9)
        };
        let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
        // 719468 is the same count for 1-jan-1970.
        days.checked_sub(719_468)
    }
}

impl Expiry {
    /// First millisecond since the Unix epoch at which the feature is no longer usable; `None` for never.
    pub fn end_ms(self) -> Option<u64> {
        match self {
            Expiry::Permanent => None,
            Expiry::On(date) => Some(date.end_ms()),
        }
    }
}

/// Reads a date field. A year of `0`, `00`, `000` or `0000` means never; two digits mean 19xx, because that
/// is what the makers of the format decided before 2000.
pub(crate) fn read(text: &str) -> Result<Written, DateError> {
    let mut parts = text.split('-');
    let (Some(day), Some(month), Some(year), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(DateError::Shape);
    };
    let month = (1u8..).zip(MONTHS).find(|(_, name)| name.eq_ignore_ascii_case(month));
    let (month, _) = month.ok_or(DateError::Month)?;
    let day = number(day, 2).and_then(|day| u8::try_from(day).ok()).ok_or(DateError::Day)?;
    let digits = year.len();
    let year = number(year, 4).ok_or(DateError::Year)?;
    if year == 0 {
        // The day is still checked, against a leap year.
        return Date::new(2000, month, day).map(|_| Written::Never).ok_or(DateError::Day);
    }
    let (year, two_digit_year) = match digits {
        2 => (year.saturating_add(1900), true),
        4 => (year, false),
        _ => return Err(DateError::Year),
    };
    let date = Date::new(year, month, day).ok_or(DateError::Day)?;
    Ok(Written::Day { date, two_digit_year })
}

/// The number, when `text` is one to `most` ASCII digits.
fn number(text: &str, most: usize) -> Option<u16> {
    let digits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Date, DateError> {
        match read(text)? {
            Written::Day { date, .. } => Ok(date),
            Written::Never => Err(DateError::YearZero),
        }
    }
}

impl FromStr for Expiry {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Expiry, DateError> {
        if text.eq_ignore_ascii_case("permanent") {
            return Ok(Expiry::Permanent);
        }
        match read(text)? {
            Written::Day { date, .. } => Ok(Expiry::On(date)),
            Written::Never => Ok(Expiry::Permanent),
        }
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let month = MONTHS.get(usize::from(self.month).wrapping_sub(1)).copied().unwrap_or("???");
        write!(f, "{:02}-{month}-{:04}", self.day, self.year)
    }
}

impl std::fmt::Display for Expiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Expiry::Permanent => f.write_str("permanent"),
            Expiry::On(date) => write!(f, "{date}"),
        }
    }
}

impl TryFrom<String> for Date {
    type Error = DateError;

    fn try_from(text: String) -> Result<Date, DateError> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> String {
        date.to_string()
    }
}
