//! Proposing to serve a license, in one entry or in parts.

use std::sync::Arc;

use licensing_core::command::{Command, Install, MAX_PART_BYTES};
use licensing_core::digest::Digest;
use licensing_core::encode::compiled;
use licensing_core::license::Compiled;
use licensing_core::outcome::{Answer, Outcome};

use crate::engine::runtime::in_background;
use crate::error::ProposeError;
use crate::propose::MAX_PROPOSAL_BYTES;
use crate::shared::Shared;

/// Around a part: time, digest, number, lengths.
const PART_OVERHEAD: usize = 128;

// A license never makes a proposal that is too large: what is longer than a part travels in parts.
const _: () = assert!(MAX_PART_BYTES + PART_OVERHEAD < MAX_PROPOSAL_BYTES);

impl Shared {
    /// Proposes the license. A long one goes ahead in parts, and what it makes of the pools is worked out while nobody waits
    /// for it; the answer is that of the entry that makes the parts valid, or of the part that was denied.
    pub(crate) async fn install(&self, license: Compiled) -> Result<Answer, ProposeError> {
        self.begin_with_the_newest_rules().await;
        let license = Arc::new(license);
        let encoded = license.clone();
        let encode = move || {
            let bytes = compiled::to_bytes(&encoded);
            (Digest::of(&bytes), bytes)
        };
        let cut_short = |error: std::io::Error| ProposeError::Unknown(error.to_string());
        let (digest, bytes) = in_background(encode).await.map_err(cut_short)?;
        let part_bytes = self.config.pieces.part_bytes;
        if bytes.len() <= part_bytes {
            return self.propose(&Command::Install(Install::Whole(license))).await;
        }
        for (part, bytes) in (0..).zip(bytes.chunks(part_bytes)) {
            let answer = self.propose(&Command::Stage { digest, part, bytes: bytes.to_vec() }).await?;
            if !matches!(answer.outcome, Outcome::Staged { .. }) {
                return Ok(answer);
            }
        }
        let state = self.machine.state();
        if let Some(prepared) =
            in_background(move || state.prepare(license, digest)).await.map_err(cut_short)?
        {
            self.machine.keep(prepared);
        }
        self.propose(&Command::Install(Install::Staged { digest })).await
    }
}
