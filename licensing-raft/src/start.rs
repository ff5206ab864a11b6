//! Putting a node together and setting it to work.

use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use licensing_core::id::Role;
use tokio::sync::{OnceCell, Semaphore};

use crate::config::NodeConfig;
use crate::engine::failure::Failure;
use crate::engine::runtime::NodeTasks;
use crate::engine::settings;
use crate::engine::watch::Watched;
use crate::environment::Environment;
use crate::error::StartError;
use crate::machine::{Machine, Raft};
use crate::mastership::former_lease::FormerLease;
use crate::mastership::leader_sign::LeaderSign;
use crate::mastership::lives::{Boot, Lives};
use crate::mastership::patience::Patience;
use crate::mastership::{Mastership, campaign, evidence, heartbeat, judge, pin};
use crate::membership::returned::Returned;
use crate::membership::{bootstrap, upgrade};
use crate::peer::asking;
use crate::peer::hello::Introduction;
use crate::peer::known::Survey;
use crate::peer::link::{Link, Route};
use crate::peer::message::Lane;
use crate::peer::network::{PeerLinks, PeerNetworks};
use crate::peer::pipeline::{IsPurged, Progressed};
use crate::peer::reception::Reception;
use crate::sessions::expiry;
use crate::sessions::grace::Grace;
use crate::sessions::signs_of_life::SignsOfLife;
use crate::shared::Shared;
use crate::snapshots;
use crate::status::advance::Advance;
use crate::status::counts::Counts;
use crate::status::watchdog;
use crate::store::Store;
use crate::time::Instant;

/// Proposals under way at once: several times what a commit can take, so that the disk is never idle, and few enough
/// that on a slow machine too, at 4,000 decisions a second, a waiting one is answered within its deadline.
pub(crate) const MAX_PROPOSALS: usize = 2048;

pub(crate) async fn assemble(
    config: NodeConfig,
    environment: Environment,
    store: Store,
    failure: Failure,
    tasks: NodeTasks,
) -> Result<Arc<Shared>, StartError> {
    let engine = |error: &dyn std::fmt::Display| StartError::Engine(error.to_string());
    let boot = environment.randomness.bytes().map_err(|error| engine(&error))?;
    let boot: Boot = boot[..16].try_into().unwrap_or_default();
    let introduction = Introduction {
        role: config.role,
        boot,
        triad: config.triad.clone(),
        rules: settings::rules(&config),
        key: config.peer_key.clone(),
    };
    let former_lease = FormerLease::of(config.role, store.log.vote().as_ref());
    let kept = store.log.clone();
    let is_purged: IsPurged = Arc::new(move |index| kept.is_purged(index));
    let troubles: [Arc<Mutex<Option<String>>>; 3] = Default::default();
    let lives = Lives::new();
    let links = Role::ALL.map(|target| {
        config.others().any(|role| role == target).then(|| {
            let route = Route {
                target,
                address: config.servers[target.place()].clone(),
                introduction: introduction.clone(),
                standing: store.standing.clone(),
                log: store.log.clone(),
                environment: environment.clone(),
                trouble: troubles[target.place()].clone(),
                lives: lives.clone(),
            };
            PeerLinks {
                log: Link::start(route.clone(), Lane::Log, &tasks),
                control: Link::start(route.clone(), Lane::Control, &tasks),
                snapshot: Link::start(route, Lane::Snapshot, &tasks),
                chunk_bytes: config.pieces.chunk_bytes,
                progressed: Progressed::default(),
                is_purged: is_purged.clone(),
            }
        })
    });
    let append_ttl =
        config.timings.lease().min(Duration::from_millis(150)).max(config.timings.heartbeat() * 2);
    // Half of what the lease has to spare; the other half is for the time between looks at it.
    let append_patience = config.timings.lease_margin() / 2;
    let networks = PeerNetworks { links, append_ttl, append_patience, told_to_lead: Arc::default() };
    let machine = Machine::new(store.shelf.clone(), config.known_edition);
    let raft_config = Arc::new(settings::of_openraft(&config).validate().map_err(|error| engine(&error))?);
    let raft =
        Raft::new(config.role.number(), raft_config, networks.clone(), store.log.clone(), machine.clone())
            .await
            .map_err(|error| engine(&error))?;
    for remark in &store.remarks {
        tracing::error!("{remark}");
    }
    let mastership = Watched::new(Mastership::unknown(config.role));
    let shared = Arc::new(Shared {
        raft,
        machine,
        standing: store.standing,
        beginning: tokio::sync::Mutex::default(),
        networks,
        survey: Survey::default(),
        sign: LeaderSign::new(),
        lives,
        former_lease,
        patience: Patience::of(config.role, config.timings.lease()),
        signs_of_life: SignsOfLife::default(),
        grace: Grace::new(config.session_grace),
        mastership,
        started: Instant::now(),
        log: store.log,
        boot,
        introduction,
        troubles,
        remarks: store.remarks,
        leaving: AtomicBool::new(false),
        installing: tokio::sync::Mutex::default(),
        is_new: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
        handovers: AtomicU32::new(0),
        counts: Counts::default(),
        returned: Returned::default(),
        advance: Advance::default(),
        failure,
        proposals: Semaphore::new(MAX_PROPOSALS),
        reception: Reception::new(),
        ended: OnceCell::new(),
        connections: tasks.of_connections(),
        tasks,
        config,
        environment,
    });
    for role in shared.config.others() {
        shared.tasks.spawn(asking::survey(shared.clone(), role));
        shared.tasks.spawn(asking::keep_quiet_lane(shared.clone(), role));
        shared.tasks.spawn(evidence::gather(shared.clone(), role));
    }
    shared.tasks.spawn(bootstrap::settle(shared.clone()));
    shared.tasks.spawn(campaign::campaign(shared.clone()));
    shared.tasks.spawn(pin::pin(shared.clone()));
    shared.tasks.spawn(expiry::watch(shared.clone()));
    shared.tasks.spawn(heartbeat::send(shared.clone()));
    shared.tasks.spawn(snapshots::take(shared.clone()));
    shared.tasks.spawn(judge::publish(shared.clone(), shared.mastership.clone()));
    shared.tasks.spawn(upgrade::watch(shared.clone()));
    shared.tasks.spawn(watchdog::watch(shared.clone()));
    Ok(shared)
}

/// The beginning of a node's own random numbers, which spread its timers.
pub(crate) fn seed(environment: &Environment) -> Result<u64, StartError> {
    let bytes = environment.randomness.bytes().map_err(|error| StartError::Engine(error.to_string()))?;
    Ok(u64::from_le_bytes(bytes[..8].try_into().unwrap_or_default()))
}
