//! The few calls of etcd's v3 API that seats need, over gRPC.
//!
//! The messages are written by hand from etcd's `rpc.proto` and `kv.proto` (numbers of fields are theirs, fields nobody
//! here uses are left out), so that no protocol compiler is needed to build this.

use std::time::Duration;

use anyhow::{Context, anyhow};
use prost::{Message, Oneof};
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

/// A request that has no answer for so long has none: etcd itself gives up after 7 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on the loopback that does not accept within this time is not there.
const CONNECT: Duration = Duration::from_secs(1);

/// One connection to one server; clones share it.
#[derive(Debug, Clone)]
pub struct Rpc {
    grpc: Grpc<Channel>,
}

impl Rpc {
    /// Connects.
    pub async fn connect(port: u16) -> anyhow::Result<Rpc> {
        let about = || format!("cannot connect to etcd on port {port}");
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).with_context(about)?;
        let channel = endpoint.connect_timeout(CONNECT).timeout(PATIENCE).connect().await;
        Ok(Rpc { grpc: Grpc::new(channel.with_context(about)?) })
    }

    /// Whom the server takes for the leader, and who it is.
    pub async fn status(&mut self) -> anyhow::Result<StatusResponse> {
        self.call("/etcdserverpb.Maintenance/Status", StatusRequest {}).await
    }

    /// Compares and acts, as one.
    pub async fn txn(&mut self, request: TxnRequest) -> anyhow::Result<TxnResponse> {
        self.call("/etcdserverpb.KV/Txn", request).await
    }

    /// Writes one key.
    pub async fn put(&mut self, request: PutRequest) -> anyhow::Result<PutResponse> {
        self.call("/etcdserverpb.KV/Put", request).await
    }

    /// Removes one key.
    pub async fn delete(&mut self, key: Vec<u8>) -> anyhow::Result<DeleteRangeResponse> {
        self.call("/etcdserverpb.KV/DeleteRange", DeleteRangeRequest { key }).await
    }

    /// A lease for so many seconds; its id.
    pub async fn grant_lease(&mut self, seconds: i64) -> anyhow::Result<i64> {
        let request = LeaseGrantRequest { ttl: seconds };
        Ok(self.call::<_, LeaseGrantResponse>("/etcdserverpb.Lease/LeaseGrant", request).await?.id)
    }

    async fn call<Q, A>(&mut self, path: &'static str, request: Q) -> anyhow::Result<A>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        self.grpc.ready().await.context("no connection to etcd")?;
        let codec = ProstCodec::<Q, A>::default();
        let answer = self.grpc.unary(Request::new(request), PathAndQuery::from_static(path), codec).await;
        let answer =
            answer.map_err(|no| anyhow!("etcd did not answer {path}: {} ({})", no.message(), no.code()))?;
        Ok(answer.into_inner())
    }
}

#[derive(Clone, PartialEq, Message)]
struct StatusRequest {}

/// Who leads.
#[derive(Clone, PartialEq, Message)]
pub struct StatusResponse {
    /// Of the server that answered.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Of the program.
    #[prost(string, tag = "2")]
    pub version: String,
    /// Member id of the leader, 0 when none is known.
    #[prost(uint64, tag = "4")]
    pub leader: u64,
}

impl StatusResponse {
    /// Whether the server that answered takes itself for the leader.
    pub fn is_leader(&self) -> bool {
        self.leader != 0 && self.header.as_ref().is_some_and(|header| header.member_id == self.leader)
    }
}

/// Stands in every answer.
#[derive(Clone, PartialEq, Message)]
pub struct ResponseHeader {
    /// Who answers.
    #[prost(uint64, tag = "2")]
    pub member_id: u64,
    /// Revision of the store after the request.
    #[prost(int64, tag = "3")]
    pub revision: i64,
}

/// Reads one key.
#[derive(Clone, PartialEq, Message)]
pub struct RangeRequest {
    /// Its name.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
}

/// What was read.
#[derive(Clone, PartialEq, Message)]
pub struct RangeResponse {
    /// One or none.
    #[prost(message, repeated, tag = "2")]
    pub kvs: Vec<KeyValue>,
}

/// A key with its value.
#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    /// Revision of its last change.
    #[prost(int64, tag = "3")]
    pub mod_revision: i64,
    /// Whatever was put.
    #[prost(bytes = "vec", tag = "5")]
    pub value: Vec<u8>,
}

/// Writes one key.
#[derive(Clone, PartialEq, Message)]
pub struct PutRequest {
    /// Its name.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// Anything.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
    /// The key goes when the lease ends; 0 for none.
    #[prost(int64, tag = "3")]
    pub lease: i64,
}

/// It is written.
#[derive(Clone, PartialEq, Message)]
pub struct PutResponse {
    /// With the revision of the change.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
}

#[derive(Clone, PartialEq, Message)]
struct DeleteRangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

/// It is gone.
#[derive(Clone, PartialEq, Message)]
pub struct DeleteRangeResponse {
    /// How many keys there were.
    #[prost(int64, tag = "2")]
    pub deleted: i64,
}

/// One act of a transaction.
#[derive(Clone, PartialEq, Message)]
pub struct RequestOp {
    /// Which.
    #[prost(oneof = "Act", tags = "1, 2")]
    pub act: Option<Act>,
}

/// See [`RequestOp`].
#[derive(Clone, PartialEq, Oneof)]
pub enum Act {
    /// Reads.
    #[prost(message, tag = "1")]
    Range(RangeRequest),
    /// Writes.
    #[prost(message, tag = "2")]
    Put(PutRequest),
}

/// The answer to one act; only what is read is of interest.
#[derive(Clone, PartialEq, Message)]
pub struct ResponseOp {
    /// Of a [`RangeRequest`].
    #[prost(message, optional, tag = "1")]
    pub range: Option<RangeResponse>,
}

/// A condition: "is equal to", which is comparison 0 and left out on the wire.
#[derive(Clone, PartialEq, Message)]
pub struct Compare {
    /// 1: revision of its creation, 2: of its last change.
    #[prost(int32, tag = "2")]
    target: i32,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    #[prost(oneof = "Expected", tags = "5, 6")]
    expected: Option<Expected>,
}

#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
enum Expected {
    #[prost(int64, tag = "5")]
    CreateRevision(i64),
    #[prost(int64, tag = "6")]
    ModRevision(i64),
}

impl Compare {
    /// The key does not exist.
    pub fn absent(key: Vec<u8>) -> Compare {
        Compare { target: 1, key, expected: Some(Expected::CreateRevision(0)) }
    }

    /// The key was last changed by this revision.
    pub fn unchanged(key: Vec<u8>, since: i64) -> Compare {
        Compare { target: 2, key, expected: Some(Expected::ModRevision(since)) }
    }
}

/// If all conditions hold, these acts; else those.
#[derive(Clone, PartialEq, Message)]
pub struct TxnRequest {
    /// The conditions.
    #[prost(message, repeated, tag = "1")]
    pub compare: Vec<Compare>,
    /// When they hold.
    #[prost(message, repeated, tag = "2")]
    pub success: Vec<RequestOp>,
    /// When they do not.
    #[prost(message, repeated, tag = "3")]
    pub failure: Vec<RequestOp>,
}

impl TxnRequest {
    /// One condition, one act if it holds, at most one if it does not.
    pub fn of(condition: Compare, then: Act, otherwise: Option<Act>) -> TxnRequest {
        let op = |act| RequestOp { act: Some(act) };
        TxnRequest {
            compare: vec![condition],
            success: vec![op(then)],
            failure: otherwise.map(op).into_iter().collect(),
        }
    }
}

/// What became of a transaction.
#[derive(Clone, PartialEq, Message)]
pub struct TxnResponse {
    /// With the revision after it.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Whether the conditions held.
    #[prost(bool, tag = "2")]
    pub succeeded: bool,
    /// Of the acts that were done.
    #[prost(message, repeated, tag = "3")]
    pub responses: Vec<ResponseOp>,
}

#[derive(Clone, PartialEq, Message)]
struct LeaseGrantRequest {
    #[prost(int64, tag = "1")]
    ttl: i64,
}

#[derive(Clone, PartialEq, Message)]
struct LeaseGrantResponse {
    #[prost(int64, tag = "2")]
    id: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_on_absence_says_zero_on_the_wire() {
        // target CREATE, key "k", create_revision 0: a field left out would compare with nothing.
        assert_eq!(Compare::absent(b"k".to_vec()).encode_to_vec(), [0x10, 1, 0x1a, 1, b'k', 0x28, 0]);
        assert_eq!(Compare::unchanged(b"k".to_vec(), 9).encode_to_vec(), [0x10, 2, 0x1a, 1, b'k', 0x30, 9]);
    }

    #[test]
    fn a_leader_knows_itself() {
        let status = |member_id, leader| StatusResponse {
            header: Some(ResponseHeader { member_id, revision: 1 }),
            version: String::new(),
            leader,
        };
        assert!(status(7, 7).is_leader());
        assert!(!status(7, 8).is_leader());
        assert!(!status(0, 0).is_leader());
    }
}
