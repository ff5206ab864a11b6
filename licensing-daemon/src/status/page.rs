//! The state of the triad as one server knows it, cut into pages that fit a frame.

use licensing_client::protocol::{
    CheckoutStatus, FeatureStatus, Place, ServerStatus, StatusFilter, StatusPage, VendorStatus,
};
use licensing_core::edition::Edition;
use licensing_core::id::{Handle, Role};
use licensing_core::state::State;
use licensing_core::view::CheckoutView;
use licensing_raft::ServerHealth;

use super::warnings;
use crate::config::Limits;
use crate::server::Server;

/// Bytes of numbers and lengths in one row, at most.
const ROW_OVERHEAD: usize = 64;

/// The page that begins there, or the first one.
pub(crate) fn make(server: &Server, filter: &StatusFilter, after: Option<Place>) -> StatusPage {
    let state = server.node.state();
    let mastership = server.node.mastership_now();
    let master = server.whereabouts_of(&mastership).master.map(|master| master.role);
    let mut page = StatusPage {
        answered_by: server.role,
        master,
        quorum: mastership.quorum,
        preferred: state.preferred_master(),
        at: state.clock(),
        applied_index: state.last_index(),
        edition: state.edition(),
        edition_held: state.edition_held(),
        vendors: Vec::new(),
        servers: Vec::new(),
        features: Vec::new(),
        checkouts: Vec::new(),
        sessions: state.session_count() as u64,
        more: None,
        warnings: Vec::new(),
    };
    if after.is_none() {
        add_servers(&mut page, server, &state);
        page.vendors = vendors(server, &state);
        page.warnings = warnings::all(server, &state);
    }
    let after_checkout = match after {
        None => add_features(&mut page, &state, filter, &server.limits, 0).then_some(Handle(0)),
        Some(Place::Pools(count)) => {
            add_features(&mut page, &state, filter, &server.limits, count).then_some(Handle(0))
        }
        Some(Place::Checkout(handle)) => Some(handle),
    };
    if let Some(handle) = after_checkout
        && !filter.without_checkouts
    {
        add_checkouts(&mut page, &state, filter, &server.limits, handle);
    }
    page
}

fn add_servers(page: &mut StatusPage, server: &Server, state: &State) {
    let known = server.node.upgrade().known;
    for health in server.node.servers() {
        let known = known.iter().find(|(role, _)| *role == health.role).and_then(|(_, known)| *known);
        page.servers.push(server_status(server, state, page.master, health, known));
    }
}

/// What is served, and what this server has a file for.
fn vendors(server: &Server, state: &State) -> Vec<VendorStatus> {
    let files = server.licenses();
    let path = |vendor: &str| {
        let file = files.iter().find(|file| file.vendor() == vendor);
        file.map(|file| file.path.display().to_string()).unwrap_or_default()
    };
    let mut vendors: Vec<VendorStatus> = state
        .licenses()
        .map(|(name, installed)| VendorStatus {
            name: name.to_owned(),
            license_path: path(name),
            installed_at: Some(installed.installed_at),
        })
        .collect();
    let waiting = files.iter().filter(|file| state.license(file.vendor()).is_none());
    vendors.extend(waiting.map(|file| VendorStatus {
        name: file.vendor().to_owned(),
        license_path: file.path.display().to_string(),
        installed_at: None,
    }));
    vendors
}

fn server_status(
    server: &Server,
    state: &State,
    master: Option<Role>,
    health: ServerHealth,
    known_edition: Option<Edition>,
) -> ServerStatus {
    let role = health.role;
    let address = server.master_address(role);
    let files = server.licenses();
    let line = files.first().and_then(|file| file.license.servers.get(role.place()));
    let host_id = line.map(|line| line.host_id.to_string());
    let remark = match (health.remark, state.in_maintenance(role)) {
        (None, true) => Some("in maintenance, is not made master".to_owned()),
        (remark, _) => remark,
    };
    ServerStatus {
        role,
        host: address.host,
        port: address.port,
        host_id: host_id.unwrap_or_default(),
        up: health.up,
        master: master == Some(role),
        version: health.version,
        known_edition,
        applied_index: health.applied_index,
        log_lag: health.log_lag,
        remark,
    }
}

/// Adds the pools behind so many; `false` when not all fit, and then `more` says so.
fn add_features(
    page: &mut StatusPage,
    state: &State,
    filter: &StatusFilter,
    limits: &Limits,
    behind: u32,
) -> bool {
    let mut bytes = 0;
    let wanted =
        (0..).zip(state.pools()).skip(behind as usize).filter(|(_, pool)| is_wanted(filter, pool.feature));
    for (place, pool) in wanted {
        let host_id = pool.host_id.as_deref().map_or(0, str::len);
        bytes += ROW_OVERHEAD + pool.feature.len() + pool.version.len() + pool.vendor.len() + host_id;
        if is_full(page.features.len(), bytes, limits) {
            page.more = Some(Place::Pools(place));
            return false;
        }
        page.features.push(FeatureStatus {
            pool: pool.id,
            name: pool.feature.to_owned(),
            version: pool.version.to_owned(),
            vendor: pool.vendor.to_owned(),
            issued: pool.licensed,
            in_use: pool.in_use,
            expires: pool.expires,
            host_id: pool.host_id,
        });
    }
    true
}

fn add_checkouts(
    page: &mut StatusPage,
    state: &State,
    filter: &StatusFilter,
    limits: &Limits,
    after: Handle,
) {
    let mut bytes = 0;
    let mut last = after;
    for checkout in state.checkouts_after(after).filter(|checkout| is_wanted(filter, checkout.feature)) {
        bytes += text_bytes(&checkout);
        if is_full(page.checkouts.len(), bytes, limits) {
            page.more = Some(Place::Checkout(last));
            return;
        }
        last = checkout.handle;
        page.checkouts.push(CheckoutStatus {
            handle: checkout.handle,
            pool: checkout.pool,
            vendor: checkout.vendor.to_owned(),
            feature: checkout.feature.to_owned(),
            licensed_version: checkout.licensed_version.to_owned(),
            version: checkout.version.to_owned(),
            count: checkout.seats,
            user: checkout.holder.identity.user.clone(),
            host: checkout.holder.identity.host.clone(),
            display: checkout.holder.identity.display.clone(),
            pid: checkout.holder.identity.pid,
            project: checkout.holder.identity.project.clone(),
            address: checkout.holder.address,
            since: checkout.since,
            keeper: checkout.keeper,
        });
    }
}

/// Whether one more row, with which there are so many bytes, is too much. One row always fits, or nothing would ever be told.
fn is_full(rows: usize, bytes: usize, limits: &Limits) -> bool {
    rows > 0 && (rows >= limits.page_rows || bytes > limits.page_bytes)
}

fn is_wanted(filter: &StatusFilter, feature: &str) -> bool {
    filter.feature.as_deref().is_none_or(|wanted| wanted == feature)
}

fn text_bytes(checkout: &CheckoutView<'_>) -> usize {
    let identity = &checkout.holder.identity;
    let names = checkout.vendor.len()
        + identity.user.len()
        + identity.host.len()
        + identity.display.len()
        + identity.project.len();
    ROW_OVERHEAD + checkout.feature.len() + checkout.licensed_version.len() + checkout.version.len() + names
}
