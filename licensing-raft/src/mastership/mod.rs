//! Who may serve, and keeping that where it should be.

pub(crate) mod campaign;
pub(crate) mod evidence;
pub(crate) mod former_lease;
pub(crate) mod handover;
pub(crate) mod heartbeat;
pub(crate) mod judge;
pub(crate) mod leader_sign;
pub(crate) mod lives;
pub(crate) mod patience;
pub(crate) mod pin;
pub(crate) mod resign;

use licensing_core::id::Role;

/// Who may serve, as one server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mastership {
    /// Role of the server that sees it so.
    pub own_role: Role,
    /// The master, if one is known.
    pub master: Option<Role>,
    /// Whether this server may serve now. Implies `master == Some(own_role)`.
    pub serving: bool,
    /// Whether a quorum is in reach, as far as this server can know.
    pub quorum: bool,
}

impl Mastership {
    pub(crate) fn unknown(own_role: Role) -> Mastership {
        Mastership { own_role, master: None, serving: false, quorum: false }
    }
}
