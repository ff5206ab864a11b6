//! A triad embedded in a program of its own, without `licensing-server`: three nodes, a checkout, the death of the
//! master, and the seat that is still there.
//!
//! ```text
//! cargo run -p licensing-raft --example embed
//! ```
//! All three nodes live in this one process to keep the example short; a real daemon starts one per host.

#![allow(clippy::print_stdout)] // an example talks

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use licensing_raft::{
    ClientAction, Compiled, Identity, License, Node, NodeConfig, RequestId, Role, Token, Wanted,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn").with_writer(std::io::stderr).init();
    let data = tempfile::tempdir()?;
    let listeners = [bind().await?, bind().await?, bind().await?];
    let license = license_for(&listeners)?;
    let mut nodes = Vec::new();
    for (role, listener) in Role::ALL.into_iter().zip(listeners) {
        nodes.push(start(role, &license, data.path(), listener).await?);
    }
    let mut master = wait_for_master(&nodes).await?;
    println!("the master is the {master}");

    let node = &nodes[master.place()];
    node.install(Compiled::from_text("demo.lic", &license)?).await?;
    let (host, display, project) = ("cad-17".into(), ":0".into(), String::new());
    let identity = Identity { user: "ada".into(), host, display, pid: std::process::id(), project };
    let session = node.open_session(Token([42; 16]), identity, None).await?;
    let checkout = ClientAction::Checkout(Wanted::feature("f1").version("1.0").seats(3));
    let answer = session.call(RequestId(1), checkout).await?;
    println!("entry {}: {:?}", answer.index, answer.outcome);

    // The master goes without a word, as a crash would make it.
    let killed = Instant::now();
    nodes[master.place()].stop(false).await;
    nodes.remove(master.place());
    master = wait_for_master(&nodes).await?;
    println!("the {master} took over {} ms later", killed.elapsed().as_millis());
    let heir = nodes.iter().find(|node| node.mastership().borrow().serving).context("nobody serves")?;
    for held in heir.read().await?.checkouts() {
        println!(
            "still checked out: {} seats of {} by {}",
            held.seats, held.feature, held.holder.identity.user
        );
    }
    for node in &nodes {
        node.stop(false).await;
    }
    Ok(())
}

async fn bind() -> anyhow::Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}

fn license_for(listeners: &[TcpListener; 3]) -> anyhow::Result<String> {
    let mut text = String::new();
    for (place, listener) in listeners.iter().enumerate() {
        let pinned = if place == 0 { " PRIMARY_IS_MASTER" } else { "" };
        text.push_str(&format!("SERVER 127.0.0.1 ANY {}{pinned}\n", listener.local_addr()?.port()));
    }
    Ok(text + "VENDOR demo\nFEATURE f1 demo 1.0 permanent 10 SIGN=\"0\"\n")
}

async fn start(role: Role, license: &str, data: &Path, listener: TcpListener) -> anyhow::Result<Node> {
    let config = NodeConfig::from_license(&License::parse(license)?, role, data.join(role.name()))?;
    let node = Node::start(config).await?;
    node.serve_peers(listener)?;
    Ok(node)
}

/// The role of the node that serves, once one does.
async fn wait_for_master(nodes: &[Node]) -> anyhow::Result<Role> {
    let mut watches: Vec<_> = nodes.iter().map(Node::mastership).collect();
    let waits = watches.iter_mut().map(|watch| Box::pin(watch.wait_for(|now| now.serving)));
    let (first, ..) = futures_util::future::select_all(waits).await;
    Ok(first?.own_role)
}
