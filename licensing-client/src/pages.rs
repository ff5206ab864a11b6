//! A long status answer, put together from its pages.

use licensing_core::id::Handle;

use crate::protocol::StatusPage;

/// Collects the pages of one status answer. The pages are made at different moments, possibly by different
/// servers, so a checkout that came or went meanwhile may be missing or stand there still.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    collected: Option<Box<StatusPage>>,
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
    /// Adds a page. A server that names no later checkout than before to go on with would never end, so it ends
    /// there.
    pub(crate) fn add(&mut self, page: Box<StatusPage>) -> Progress {
        let before = self.after();
        let more_after = page.more_after;
        let whole = match self.collected.take() {
            None => page,
            Some(mut whole) => {
                whole.checkouts.extend(page.checkouts);
                whole.warnings.extend(page.warnings);
                whole.more_after = more_after;
                whole
            }
        };
        match more_after {
            Some(after) if before.is_none_or(|before| after > before) => {
                self.collected = Some(whole);
                Progress::More
            }
            _ => Progress::Done(Box::new(StatusPage { more_after: None, ..*whole })),
        }
    }

    /// Where the next page begins; `None` for the first.
    pub(crate) fn after(&self) -> Option<Handle> {
        self.collected.as_ref().and_then(|page| page.more_after)
    }
}
