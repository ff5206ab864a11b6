//! What a node has just begun, for simulations that aim at it. Nobody else listens.

/// What a node has just begun. All of it is rare, and must survive a crash of anybody at any instant around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeMoment {
    /// It hands its leadership over.
    HandOver,
    /// It was told to take the leadership.
    Transfer,
    /// It took note, as a leader, that a peer returned with less than it had acknowledged.
    Readmission,
    /// A part of another server's snapshot came, and more is to come.
    Chunk,
}
