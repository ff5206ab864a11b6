//! The state of the triad as one server knows it, cut into pages that fit a frame.

use licensing_client::protocol::{
    CheckoutStatus, FeatureStatus, MAX_FRAME_BYTES, ServerStatus, StatusFilter, StatusPage,
};
use licensing_client::text::counted;
use licensing_core::id::{Handle, Role};
use licensing_core::state::State;
use licensing_core::view::CheckoutView;
use licensing_raft::ServerHealth;

use crate::license::fingerprint;
use crate::server::Server;

/// Most checkouts on one page: a page takes a millisecond or two to make, and other clients wait that long.
const MAX_ROWS: usize = 2000;

/// Bytes of texts on one page, for pools and for checkouts each: both together, with their numbers, stay below a
/// frame.
const MAX_TEXT: usize = MAX_FRAME_BYTES / 4;

/// Bytes of numbers and lengths in one row, at most.
const ROW_OVERHEAD: usize = 64;

/// The page after this checkout, or the first one.
pub(crate) fn make(server: &Server, filter: &StatusFilter, after: Option<Handle>) -> StatusPage {
    let state = server.node.state();
    let mastership = server.node.mastership_now();
    let master = server.standing_of(&mastership).master.map(|master| master.role);
    let file = server.license();
    let mut page = StatusPage {
        answered_by: server.role,
        master,
        quorum: mastership.quorum,
        preferred: state.preferred_master(),
        at: state.clock(),
        applied_index: state.last_index(),
        license_path: file.path.display().to_string(),
        vendor: file.vendor().to_owned(),
        servers: Vec::new(),
        features: Vec::new(),
        checkouts: Vec::new(),
        sessions: state.session_count() as u64,
        more_after: None,
        warnings: Vec::new(),
    };
    if after.is_none() {
        let health = server.node.servers();
        page.servers =
            health.into_iter().map(|health| server_status(server, &state, master, health)).collect();
        page.warnings = warnings(server, &state);
        if let Some(left_out) = add_features(&mut page, &state, filter) {
            page.warnings.push(left_out);
        }
    }
    if !filter.without_checkouts {
        add_checkouts(&mut page, &state, filter, after.unwrap_or_default());
    }
    page
}

fn server_status(server: &Server, state: &State, master: Option<Role>, health: ServerHealth) -> ServerStatus {
    let role = health.role;
    let address = &server.addresses[role.place()];
    let host_id = server.license().license.servers.get(role.place()).map(|line| line.host_id.to_string());
    let remark = match (health.remark, state.in_maintenance(role)) {
        (None, true) => Some("in maintenance, is not made master".to_owned()),
        (remark, _) => remark,
    };
    ServerStatus {
        role,
        host: address.host.clone(),
        port: address.port,
        host_id: host_id.unwrap_or_default(),
        up: health.up,
        master: master == Some(role),
        version: health.version,
        applied_index: health.applied_index,
        log_lag: health.log_lag,
        remark,
    }
}

fn warnings(server: &Server, state: &State) -> Vec<String> {
    let mut warnings = server.node.warnings();
    let file = server.license();
    if let Some(installed) = state.license(file.vendor())
        && installed.text() != file.text
        && fingerprint(installed.license()) != fingerprint(&file.license)
    {
        warnings.push(format!(
            "the license file of the {} ({}) differs from the license that is served: put the right file there and \
             let the master read it again with `licensectl reread`",
            server.role,
            file.path.display()
        ));
    }
    warnings
}

/// Adds the pools; says so when not all fit.
fn add_features(page: &mut StatusPage, state: &State, filter: &StatusFilter) -> Option<String> {
    let mut bytes = 0;
    let mut left_out: u64 = 0;
    for pool in state.pools().filter(|pool| is_wanted(filter, pool.feature)) {
        let host_id = pool.host_id.as_deref().map_or(0, str::len);
        bytes += ROW_OVERHEAD + pool.feature.len() + pool.version.len() + pool.vendor.len() + host_id;
        if bytes > MAX_TEXT {
            left_out += 1;
            continue;
        }
        page.features.push(FeatureStatus {
            name: pool.feature.to_owned(),
            version: pool.version.to_owned(),
            vendor: pool.vendor.to_owned(),
            issued: pool.licensed,
            in_use: pool.in_use,
            expires: pool.expires,
            host_id: pool.host_id,
        });
    }
    (left_out > 0).then(|| {
        format!("{} not shown, the list is too long: ask for one feature", counted(left_out, "pool"))
    })
}

fn add_checkouts(page: &mut StatusPage, state: &State, filter: &StatusFilter, after: Handle) {
    let mut bytes = 0;
    let mut last = after;
    for checkout in state.checkouts_after(after).filter(|checkout| is_wanted(filter, checkout.feature)) {
        bytes += text_bytes(&checkout);
        if page.checkouts.len() == MAX_ROWS || bytes > MAX_TEXT {
            page.more_after = Some(last);
            return;
        }
        last = checkout.handle;
        page.checkouts.push(CheckoutStatus {
            handle: checkout.handle,
            feature: checkout.feature.to_owned(),
            licensed_version: checkout.licensed_version.to_owned(),
            version: checkout.version.to_owned(),
            count: checkout.seats,
            user: checkout.holder.identity.user.clone(),
            host: checkout.holder.identity.host.clone(),
            display: checkout.holder.identity.display.clone(),
            pid: checkout.holder.identity.pid,
            since: checkout.since,
            session: checkout.keeper.session().unwrap_or_default(),
        });
    }
}

fn is_wanted(filter: &StatusFilter, feature: &str) -> bool {
    filter.feature.as_deref().is_none_or(|wanted| wanted == feature)
}

fn text_bytes(checkout: &CheckoutView<'_>) -> usize {
    let identity = &checkout.holder.identity;
    let names = identity.user.len() + identity.host.len() + identity.display.len();
    ROW_OVERHEAD + checkout.feature.len() + checkout.licensed_version.len() + checkout.version.len() + names
}
