//! The moment in each frame in which signals are emitted.
//!
//! It is the tree's `process_frame`, not the node's `_process`: a handler may free the node it is called from, or what the
//! node hangs below, and the engine looks at a node again after its `_process`, but not at a receiver of a signal. It comes
//! while the game is paused, too.

use godot::obj::bounds::DeclUser;
use godot::obj::{Bounds, Inherits, WithSignals};
use godot::prelude::*;
use godot::signal::ConnectHandle;

/// Calls `frame` once a frame from now on, until the answer is disconnected or `node` is freed.
///
/// Nothing is borrowed then, so whatever `frame` calls may call back.
pub(crate) fn each_frame<C>(node: &Gd<C>, frame: fn(Gd<C>)) -> ConnectHandle
where
    C: GodotClass + Inherits<Node> + Bounds<Declarer = DeclUser> + WithSignals,
{
    let tree = node.upcast_ref::<Node>().get_tree();
    tree.signals().process_frame().builder().connect_other_gd(node, frame)
}

/// Ends it, when a node leaves the tree.
pub(crate) fn no_more(connection: &mut Option<ConnectHandle>) {
    if let Some(connection) = connection.take().filter(ConnectHandle::is_connected) {
        connection.disconnect();
    }
}
