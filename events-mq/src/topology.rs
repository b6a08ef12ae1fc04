//! Who makes what a broker needs: streams, consumers, exchanges, topics.

/// Whether this process may make what it needs at the broker.
///
/// ```
/// use events_mq::Topology;
///
/// assert_eq!(Topology::default(), Topology::Create);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Topology {
    /// Makes what is missing, when it connects and again if it disappears. What is there keeps its settings; at most a subject is added.
    #[default]
    Create,
    /// Makes and changes nothing: somebody else does. What is missing stops the start, and an event that nothing would store is a
    /// terminal error.
    Check,
}
