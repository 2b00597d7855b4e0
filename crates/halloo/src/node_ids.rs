//! Which part of the client ids is this node's, and which clients of other nodes can be reached.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::ClientId;

/// The bits of a client id that count the clients of a node. With the 20 bits of its number, an id is below 2^53, so that
/// Godot and JavaScript read it exactly.
const COUNTER_BITS: u32 = 33;

/// The number of this node, 0 without a cluster, and the numbers of the others.
#[derive(Debug, Default)]
pub(crate) struct NodeIds {
    own: AtomicU32,
    others: RwLock<HashSet<u32>>,
}

impl NodeIds {
    /// Returns the id of the client with this number, counted from 1.
    pub(crate) fn client_id(&self, number: u64) -> ClientId {
        ClientId((u64::from(self.own.load(Ordering::Relaxed)) << COUNTER_BITS) + number)
    }

    /// Returns whether `client` is one of another node that is alive.
    #[cold]
    pub(crate) fn is_remote(&self, client: ClientId) -> bool {
        let node = (client.0 >> COUNTER_BITS) as u32;
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        client.0 >> COUNTER_BITS <= u64::from(u32::MAX) && others.contains(&node)
    }

    /// Sets the number of this node, for the clients that join from now on.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_own(&self, node: u32) {
        self.own.store(node, Ordering::Relaxed);
    }

    /// Sets the numbers of the other nodes.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_others(&self, nodes: HashSet<u32>) {
        *self.others.write().unwrap_or_else(PoisonError::into_inner) = nodes;
    }
}
