//! Proposing to serve a license, in one entry or in parts.

use std::sync::Arc;

use licensing_core::command::{Command, Install, MAX_PART_BYTES};
use licensing_core::digest::Digest;
use licensing_core::encode::compiled;
use licensing_core::license::Compiled;
use licensing_core::outcome::{Answer, Denial, Outcome};

use crate::engine::runtime::in_background;
use crate::error::ProposeError;
use crate::propose::MAX_PROPOSAL_BYTES;
use crate::shared::Shared;

/// Around a part: time, digest, number, lengths.
const PART_OVERHEAD: usize = 128;

// A license never makes a proposal that is too large: what is longer than a part travels in parts.
const _: () = assert!(MAX_PART_BYTES + PART_OVERHEAD < MAX_PROPOSAL_BYTES);

/// How often a license that was disturbed on its way begins anew.
const TRIES: u32 = 8;

fn cut_short(error: std::io::Error) -> ProposeError {
    ProposeError::Unknown(error.to_string())
}

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
        let (digest, bytes) = in_background(encode).await.map_err(cut_short)?;
        if bytes.len() <= self.config.pieces.part_bytes {
            return self.propose(&Command::Install(Install::Whole(license))).await;
        }
        // One on its way makes another one begin anew. Those of this server wait for each other; the last ones of a master of the
        // past may still come between.
        let _alone = self.installing.lock().await;
        let mut tries = 0..TRIES;
        loop {
            let answer = self.install_in_parts(&license, digest, &bytes).await?;
            let is_disturbed = matches!(answer.outcome, Outcome::Denied(Denial::PartsMissing { .. }));
            if !is_disturbed || tries.next().is_none() {
                return Ok(answer);
            }
        }
    }

    async fn install_in_parts(
        &self,
        license: &Arc<Compiled>,
        digest: Digest,
        bytes: &[u8],
    ) -> Result<Answer, ProposeError> {
        for (part, bytes) in (0..).zip(bytes.chunks(self.config.pieces.part_bytes)) {
            let answer = self.propose(&Command::Stage { digest, part, bytes: bytes.to_vec() }).await?;
            if !matches!(answer.outcome, Outcome::Staged { .. }) {
                return Ok(answer);
            }
        }
        let (state, license) = (self.machine.state(), license.clone());
        if let Some(prepared) =
            in_background(move || state.prepare(license, digest)).await.map_err(cut_short)?
        {
            self.machine.keep(prepared);
        }
        self.propose(&Command::Install(Install::Staged { digest })).await
    }
}
