//! What a client does when mastership moves: it finds the new master at once, and says everything again that has no
//! answer, under the same numbers.

mod scripted;

use std::time::Duration;

use licensing_client::protocol::{MasterAddress, Reply, Request, ServerMessage, Whereabouts};
use licensing_client::{ClientEvent, RequestError, ServerAddress};
use licensing_core::id::{Handle, Role};
use scripted::{
    SESSION, Stage, TOKEN, address, config, connected, connected_with, connecting, millis_since, server_list,
    whereabouts,
};
use tokio::time::{Instant, sleep};

use Role::{Primary, Secondary, Tertiary};

#[tokio::test(start_paused = true)]
async fn a_standby_names_the_master_and_is_followed() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let connecting = connecting(&stage, config(path));
    let begin = Instant::now();
    let mut standby = primary.accept(Some(Secondary)).await;
    let mut master = secondary.accept(Some(Secondary)).await;
    assert!(millis_since(begin) < 5, "the redirect was not followed at once");
    master.open_session().await;
    let client = connecting.await.unwrap().unwrap();
    assert_eq!((client.session(), client.token()), (SESSION, TOKEN));
    assert_eq!(client.server(), Some(address(Secondary)));
    let mut events = client.events();
    assert_eq!(events.recv().await, Ok(ClientEvent::Connected { server: address(Secondary) }));
    standby.hung_up().await;
    assert_eq!(stage.dials(Tertiary), 0, "a server was dialed that nobody named");
}

#[tokio::test(start_paused = true)]
async fn a_dead_first_server_costs_thirty_milliseconds() {
    let stage = Stage::new();
    let ([_primary, mut secondary, _tertiary], path) = stage.triad();
    stage.cut(Primary);
    let begin = Instant::now();
    let connecting = connecting(&stage, config(path));
    secondary.accept(Some(Secondary)).await.open_session().await;
    connecting.await.unwrap().unwrap();
    assert_eq!(millis_since(begin), 30);
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_knows_no_master_is_listened_to() {
    let stage = Stage::new();
    let ([mut primary, secondary, tertiary], path) = stage.triad();
    drop((secondary, tertiary));
    let connecting = connecting(&stage, config(path));
    let mut peer = primary.accept(None).await;
    sleep(Duration::from_millis(200)).await;
    peer.moved(Some(Primary)).await;
    peer.open_session().await;
    connecting.await.unwrap().unwrap();
    assert_eq!(stage.dials(Primary), 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_answer_is_resent_with_the_same_numbers_after_a_loss() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, mut tertiary], path) = stage.triad();
    let (client, mut peer) = connected(&stage, &mut primary, path).await;
    let mut events = client.events();
    events.recv().await.unwrap();
    let [first, second, third] =
        ["a", "b", "c"].map(|feature| tokio::spawn(client.checkout(feature).seats(2).send()));
    let calls = [peer.call().await, peer.call().await, peer.call().await];
    assert_eq!(calls.each_ref().map(|call| (call.request, call.acknowledged)), [(1, 0), (2, 0), (3, 0)]);
    peer.grant(&calls[0], 51).await;
    let first = first.await.unwrap().unwrap();
    assert_eq!((first.handle(), first.seats().0), (Handle(51), 2));
    assert_eq!(first.index().0, 100 + calls[0].id);

    // The master is killed; the election takes 300 ms.
    drop((peer, primary));
    let mut standby = secondary.accept(Some(Primary)).await;
    let _caretaker = tertiary.accept(None).await;
    sleep(Duration::from_millis(300)).await;
    standby.moved(Some(Secondary)).await;
    let mut master = standby;
    master.heartbeat().await;
    let again = [master.call().await, master.call().await];
    for (again, before) in again.iter().zip(&calls[1..]) {
        assert_eq!((again.request, again.acknowledged), (before.request, 1));
        assert_eq!((again.session, again.token, &again.action), (SESSION, TOKEN, &before.action));
    }
    master.grant(&again[0], 52).await;
    master.grant(&again[1], 53).await;
    assert_eq!(second.await.unwrap().unwrap().detach(), Handle(52));
    assert_eq!(third.await.unwrap().unwrap().detach(), Handle(53));
    let gone = events.recv().await.unwrap();
    assert!(
        matches!(&gone, ClientEvent::Disconnected { reason } if reason == "1@primary closed the connection"),
        "{gone:?}"
    );
    assert_eq!(events.recv().await, Ok(ClientEvent::Reconnected { server: address(Secondary), gap_ms: 300 }));
    assert_eq!(stage.dials(Secondary), 1, "the server that was listened to was dialed again");
    first.detach();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_just_lost_is_not_chased_on_old_news() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, mut tertiary], path) = stage.triad();
    let (_client, peer) = connected(&stage, &mut primary, path).await;
    drop((peer, primary));
    let mut standby = secondary.accept(Some(Primary)).await;
    let _caretaker = tertiary.accept(Some(Primary)).await;
    for _ in 0..100 {
        sleep(Duration::from_millis(10)).await;
        standby.moved(Some(Primary)).await;
    }
    // 5, 10, 20, 40, 80 and then every 100 ms, a quarter more at most.
    let dials = stage.dials(Primary) - 1;
    assert!((10..=15).contains(&dials), "{dials} dials in a second");
    standby.moved(Some(Secondary)).await;
    standby.heartbeat().await;
}

#[tokio::test(start_paused = true)]
async fn the_lost_server_itself_is_taken_when_it_is_back() {
    let stage = Stage::new();
    let ([mut primary, _secondary, _tertiary], path) = stage.triad();
    let (_client, peer) = connected(&stage, &mut primary, path).await;
    drop((peer, primary));
    sleep(Duration::from_millis(20)).await;
    let mut primary = stage.server(Primary);
    let begin = Instant::now();
    primary.accept(Some(Primary)).await.heartbeat().await;
    assert!(millis_since(begin) <= 50);
}

#[tokio::test(start_paused = true)]
async fn moved_to_another_master_the_client_dials_before_it_hangs_up() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let (client, mut old) = connected(&stage, &mut primary, path).await;
    let mut events = client.events();
    events.recv().await.unwrap();
    let asking = tokio::spawn(client.checkout("a").send());
    let call = old.call().await;
    let late = tokio::spawn(client.checkout("b").send());
    let late_call = old.call().await;
    old.moved(Some(Secondary)).await;
    let stream = secondary.accept_silently().await;
    // Still connected, so an answer that comes late from the old master counts.
    old.grant(&late_call, 61).await;
    assert_eq!(late.await.unwrap().unwrap().detach(), Handle(61));
    let mut new = secondary.welcome(stream, Some(Secondary)).await;
    new.heartbeat().await;
    let again = new.call().await;
    assert_eq!((again.request, &again.action), (call.request, &call.action));
    new.grant(&again, 60).await;
    assert_eq!(asking.await.unwrap().unwrap().detach(), Handle(60));
    old.hung_up().await;
    assert_eq!(
        events.recv().await,
        Ok(ClientEvent::Disconnected { reason: "1@primary: mastership moved".to_owned() })
    );
    assert_eq!(events.recv().await, Ok(ClientEvent::Reconnected { server: address(Secondary), gap_ms: 0 }));
}

#[tokio::test(start_paused = true)]
async fn the_new_master_may_need_a_moment_to_know_it() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let (client, mut old) = connected(&stage, &mut primary, path).await;
    old.moved(Some(Secondary)).await;
    let mut new = secondary.accept(Some(Primary)).await;
    let asking = tokio::spawn(client.checkout("a").send());
    sleep(Duration::from_millis(5)).await;
    new.moved(Some(Secondary)).await;
    new.heartbeat().await;
    let call = new.call().await;
    assert_eq!(call.request, 1);
    new.grant(&call, 60).await;
    asking.await.unwrap().unwrap().detach();
}

#[tokio::test(start_paused = true)]
async fn a_transfer_that_fails_leaves_the_client_where_it_was() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let (client, mut old) = connected(&stage, &mut primary, path).await;
    old.moved(None).await;
    let _standby = secondary.accept(Some(Primary)).await;
    let asking = tokio::spawn(client.checkout("a").send());
    sleep(Duration::from_millis(5)).await;
    old.moved(Some(Primary)).await;
    old.heartbeat().await;
    let call = old.call().await;
    old.grant(&call, 60).await;
    asking.await.unwrap().unwrap().detach();
    assert_eq!(stage.dials(Primary), 1);
}

#[tokio::test(start_paused = true)]
async fn not_master_sends_the_request_to_the_one_that_is() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let (client, mut old) = connected(&stage, &mut primary, path).await;
    let asking = tokio::spawn(client.checkout("a").send());
    let call = old.call().await;
    old.reply(call.id, Reply::NotMaster(whereabouts(Primary, Some(Secondary)))).await;
    let mut new = secondary.accept(Some(Secondary)).await;
    new.heartbeat().await;
    let again = new.call().await;
    assert_eq!((again.request, &again.action), (1, &call.action));
    new.grant(&again, 60).await;
    asking.await.unwrap().unwrap().detach();
}

#[tokio::test(start_paused = true)]
async fn two_servers_that_send_clients_to_each_other_are_not_asked_in_a_hot_loop() {
    let stage = Stage::new();
    let ([primary, secondary, tertiary], path) = stage.triad();
    drop(tertiary);
    let connecting = connecting(&stage, {
        let mut config = config(path);
        config.connect_timeout = Duration::from_secs(5);
        config
    });
    for (mut server, other) in [(primary, Secondary), (secondary, Primary)] {
        tokio::spawn(async move {
            loop {
                // Each says at the door that it is master, and later that the other is.
                let mut peer = server.accept(Some(server.role)).await;
                tokio::spawn(async move {
                    while let Some(message) = peer.receive().await {
                        let whereabouts = whereabouts(peer.role, Some(other));
                        peer.reply(message.id, Reply::NotMaster(whereabouts)).await;
                    }
                });
            }
        });
    }
    let error = connecting.await.unwrap().unwrap_err();
    assert!(error.to_string().starts_with("no license server answered as master within 5000 ms"), "{error}");
    let dials = stage.dials(Primary) + stage.dials(Secondary);
    assert!(dials < 40, "{dials} dials in five seconds");
}

#[tokio::test(start_paused = true)]
async fn a_paused_master_is_left_as_soon_as_another_serves() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, mut tertiary], path) = stage.triad();
    let (client, mut paused) = connected(&stage, &mut primary, path).await;
    let begin = Instant::now();
    let asking = tokio::spawn(client.checkout("a").send());
    let call = paused.call().await;
    // From here on the primary is silent, its connection open.
    let mut standby = secondary.accept(Some(Primary)).await;
    let _caretaker = tertiary.accept(Some(Primary)).await;
    assert_eq!(millis_since(begin), 150);
    sleep(Duration::from_millis(160)).await;
    standby.moved(Some(Secondary)).await;
    standby.heartbeat().await;
    let again = standby.call().await;
    assert_eq!((again.request, &again.action), (call.request, &call.action));
    standby.grant(&again, 60).await;
    asking.await.unwrap().unwrap().detach();
    assert_eq!(millis_since(begin), 310);
    paused.hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_master_is_kept_and_the_others_are_left_in_peace() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, mut tertiary], path) = stage.triad();
    let (client, mut slow) = connected(&stage, &mut primary, path).await;
    let asking = tokio::spawn(client.checkout("a").send());
    let call = slow.call().await;
    let mut standby = secondary.accept(Some(Primary)).await;
    let mut caretaker = tertiary.accept(Some(Primary)).await;
    // It was asked for a sign of life meanwhile.
    slow.heartbeat().await;
    slow.grant(&call, 60).await;
    asking.await.unwrap().unwrap().detach();
    standby.hung_up().await;
    caretaker.hung_up().await;
    assert_eq!(stage.dials(Primary), 1);
    assert_eq!(client.server(), Some(address(Primary)));
}

#[tokio::test(start_paused = true)]
async fn silence_for_1500_ms_ends_the_connection() {
    let stage = Stage::new();
    let ([mut primary, secondary, tertiary], path) = stage.triad();
    let (client, mut silent) = connected(&stage, &mut primary, path).await;
    drop((secondary, tertiary));
    let mut events = client.events();
    events.recv().await.unwrap();
    let begin = Instant::now();
    let asking = tokio::spawn(client.checkout("a").send());
    silent.call().await;
    silent.hung_up().await;
    assert_eq!(millis_since(begin), 1500);
    // Its process goes on and takes the client back.
    let mut again = primary.accept(Some(Primary)).await;
    again.heartbeat().await;
    let call = again.call().await;
    assert_eq!(call.request, 1);
    again.grant(&call, 60).await;
    asking.await.unwrap().unwrap().detach();
    assert_eq!(
        events.recv().await,
        Ok(ClientEvent::Disconnected { reason: "no answer within 1500 ms".to_owned() })
    );
    assert!(matches!(events.recv().await, Ok(ClientEvent::Reconnected { gap_ms: 1500.., .. })));
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_the_timeout_leaves_it_unknown_and_seats_granted_late_go_back() {
    let stage = Stage::new();
    let ([mut primary, secondary, tertiary], path) = stage.triad();
    let config = {
        let mut config = config(path);
        config.reconnect_timeout = Duration::from_secs(20);
        config
    };
    let (client, mut peer) = connected_with(&stage, &mut primary, config).await;
    let begin = Instant::now();
    let sent = tokio::spawn(client.checkout("a").seats(3).send());
    peer.call().await;
    drop((peer, primary, secondary, tertiary));
    sleep(Duration::from_secs(1)).await;
    let unsent = tokio::spawn(client.checkout("b").send());
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "checkout of 3 seats of feature `a` version 0.0 may or may not have been done: no definite answer came \
         within 20000 ms"
    );
    assert!(matches!(error, RequestError::Unknown { .. }));
    assert_eq!(millis_since(begin), 20_000);
    let error = unsent.await.unwrap().unwrap_err();
    assert!(matches!(error, RequestError::NotSent { waited_ms: 20_000, .. }), "{error}");

    // The triad comes back, and it had granted the first request.
    let mut primary = stage.server(Primary);
    let mut peer = primary.accept(Some(Primary)).await;
    peer.heartbeat().await;
    let call = peer.call().await;
    assert_eq!(call.request, 1);
    peer.grant(&call, 77).await;
    let back = peer.call().await;
    assert_eq!((back.request, back.acknowledged), (2, 1));
    assert_eq!(back.action, licensing_core::command::Action::Checkin { handle: Handle(77), owner: None });
}

#[tokio::test(start_paused = true)]
async fn one_name_is_enough_to_learn_the_others() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], _) = stage.triad();
    let (_client, mut peer) = connected(&stage, &mut primary, "1@primary".parse().unwrap()).await;
    let (id, request) = peer.request().await;
    assert!(matches!(request, Request::Status { ref filter, .. } if filter.without_checkouts), "{request:?}");
    peer.reply(id, Reply::Status(Box::new(server_list()))).await;
    peer.heartbeat().await;
    drop((peer, primary));
    secondary.accept(Some(Secondary)).await.heartbeat().await;
    assert_eq!(stage.dials(Tertiary), 1);
}

#[tokio::test(start_paused = true)]
async fn a_master_nobody_had_named_is_found_by_its_address() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], _) = stage.triad();
    let (_client, mut peer) = connected(&stage, &mut primary, "1@primary".parse().unwrap()).await;
    peer.request().await;
    peer.moved(Some(Secondary)).await;
    secondary.accept(Some(Secondary)).await.heartbeat().await;
}

#[tokio::test(start_paused = true)]
async fn a_role_stands_for_its_place_in_the_search_path_whatever_the_servers_call_it() {
    let stage = Stage::new();
    let ([mut primary, mut secondary, _tertiary], path) = stage.triad();
    let begin = Instant::now();
    let connecting = connecting(&stage, config(path));
    let mut standby = primary.accept(None).await;
    let host = "name-behind-the-firewall".to_owned();
    let master = Some(MasterAddress { role: Secondary, host: host.clone(), port: 2 });
    standby.write(&ServerMessage::Moved(Whereabouts { role: Primary, master })).await;
    secondary.accept(Some(Secondary)).await.open_session().await;
    assert!(millis_since(begin) < 5);
    connecting.await.unwrap().unwrap();
    assert_eq!(stage.dials_to(&ServerAddress::new(host, 2)), 0);
}

#[tokio::test(start_paused = true)]
async fn a_relayed_client_comes_back_through_the_same_address() {
    let stage = Stage::new();
    let ([mut balancer, _secondary, _tertiary], _) = stage.triad();
    let config = {
        let mut config = config("1@primary".parse().unwrap());
        config.relay = true;
        config
    };
    let (_client, mut peer) = connected_with(&stage, &mut balancer, config).await;
    assert!(peer.hello.relay);
    peer.moved(Some(Secondary)).await;
    balancer.accept(Some(Primary)).await.heartbeat().await;
    peer.hung_up().await;
    assert_eq!(stage.dials(Secondary), 0, "a relayed client followed a redirect");
}

#[tokio::test(start_paused = true)]
async fn a_former_master_without_news_is_dialed_again_after_five_seconds() {
    let stage = Stage::new();
    let ([mut primary, secondary, tertiary], path) = stage.triad();
    drop((secondary, tertiary));
    let (_client, mut peer) = connected(&stage, &mut primary, path).await;
    let begin = Instant::now();
    peer.moved(None).await;
    peer.hung_up().await;
    assert_eq!(millis_since(begin), 5000);
    primary.accept(Some(Primary)).await.heartbeat().await;
}
