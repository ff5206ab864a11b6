//! A long status answer, put together from its pages.

use super::{Place, StatusPage};

/// Most pages put together: at the 2000 checkouts that servers put on a page, twice as many as the million a triad
/// is meant for. A server that always has one more page is not believed for ever.
const MAX_PAGES: usize = 1024;

/// Collects the pages of one status answer. The pages are made at different moments, possibly by different
/// servers, so a checkout that came or went meanwhile may be missing or stand there still.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    collected: Option<Box<StatusPage>>,
    count: usize,
}

/// What to do after a page.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Ask for what comes after [`Pages::after`].
    More,
    /// This was the last page; here is the whole.
    Done(Box<StatusPage>),
}

impl Pages {
    /// Adds a page. What is cut off at [`MAX_PAGES`] is told by `more` of the whole. A server that names no
    /// later place than before to go on with would never end, so it ends there.
    pub(crate) fn add(&mut self, page: Box<StatusPage>) -> Progress {
        let before = self.after();
        self.count += 1;
        let more = page.more;
        let whole = match self.collected.take() {
            None => page,
            Some(mut whole) => {
                whole.features.extend(page.features);
                whole.checkouts.extend(page.checkouts);
                whole.warnings.extend(page.warnings);
                whole.more = more;
                whole
            }
        };
        match more {
            Some(after) if before.is_none_or(|before| after > before) && self.count < MAX_PAGES => {
                self.collected = Some(whole);
                Progress::More
            }
            _ => {
                let more = more.filter(|_| self.count >= MAX_PAGES);
                Progress::Done(Box::new(StatusPage { more, ..*whole }))
            }
        }
    }

    /// Where the next page begins; `None` for the first.
    pub(crate) fn after(&self) -> Option<Place> {
        self.collected.as_ref().and_then(|page| page.more)
    }
}

#[cfg(test)]
mod tests {
    use licensing_core::edition::Edition;
    use licensing_core::id::{Handle, LogIndex, Role, Timestamp};

    use super::*;

    fn page(more: Option<u64>) -> Box<StatusPage> {
        Box::new(StatusPage {
            answered_by: Role::Primary,
            master: None,
            quorum: false,
            preferred: None,
            at: Timestamp(0),
            applied_index: LogIndex(0),
            edition: Edition::FIRST,
            edition_held: false,
            vendors: Vec::new(),
            servers: Vec::new(),
            features: Vec::new(),
            checkouts: Vec::new(),
            sessions: 0,
            more: more.map(|handle| Place::Checkout(Handle(handle))),
            warnings: vec!["w".to_owned()],
        })
    }

    #[test]
    fn pages_end_with_the_last_or_when_they_go_backwards_or_on_for_ever() {
        let mut pages = Pages::default();
        assert!(matches!(pages.add(page(Some(5))), Progress::More));
        assert_eq!(pages.after(), Some(Place::Checkout(Handle(5))));
        let Progress::Done(whole) = pages.add(page(None)) else { panic!("the last page was not the last") };
        assert_eq!((whole.more, whole.warnings.len()), (None, 2));

        let mut pages = Pages::default();
        assert!(matches!(pages.add(page(Some(5))), Progress::More));
        let Progress::Done(whole) = pages.add(page(Some(5))) else { panic!("page 5 comes after page 5") };
        assert_eq!(whole.more, None);

        let mut pages = Pages::default();
        let ends = (1..).find(|after| matches!(pages.add(page(Some(*after))), Progress::Done(_)));
        assert_eq!(ends, Some(MAX_PAGES as u64));
    }
}
