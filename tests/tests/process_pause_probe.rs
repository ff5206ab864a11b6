use Role::{Primary, Secondary};
use licensing_client::protocol::{Reply, Request};
use licensing_client::{Client, ClientConfig, Direct, TcpDial};
use licensing_core::id::Role;
use licensing_server::local_triad::TriadOptions;
use licensing_tests::process::{PATIENCE, start, wait_until_master};
use licensing_tests::workload::{Plan, Workload};

#[tokio::test(flavor = "multi_thread")]
async fn gone() {
    let rounds: u32 = std::env::var("ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(20);
    let mut triad = start(TriadOptions::default()).await;
    let work = Workload::start(&triad, Plan::new("gone")).await;
    let (mut gone, mut alive, mut not_master, mut other) = (0, 0, 0, 0);
    for _ in 0..rounds {
        work.answers(3).await;
        let mut directs = Vec::new();
        for _ in 0..40 {
            directs.push(
                Direct::connect(&triad.address(Primary), &TcpDial).await.unwrap().with_answer_limit(PATIENCE),
            );
        }
        work.answers(1).await;
        triad.pause(Primary).unwrap();
        wait_until_master(&triad, Secondary).await;
        let late = Client::connect(ClientConfig::new(triad.search_path())).await.unwrap();
        let (session, token) = (late.session(), late.token());
        let mut asking = tokio::task::JoinSet::new();
        for mut direct in directs {
            asking.spawn(async move { direct.request(Request::Heartbeat { session, token }).await });
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        triad.resume(Primary).unwrap();
        while let Some(reply) = asking.join_next().await {
            match reply.unwrap() {
                Ok(Reply::Gone) => gone += 1,
                Ok(Reply::Alive { .. }) => alive += 1,
                Ok(Reply::NotMaster(_)) => not_master += 1,
                o => {
                    other += 1;
                    eprintln!("{o:?}");
                }
            }
        }
        late.close().await.unwrap();
        wait_until_master(&triad, Primary).await;
    }
    eprintln!("gone {gone} alive {alive} not master {not_master} other {other}");
    let _ = work;
}
