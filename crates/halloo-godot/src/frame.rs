//! The signal on which the nodes of this crate do their work in each frame.
//!
//! It is the tree's `process_frame` and not the node's `_process`, because a handler may free the node or its parent: the
//! engine accesses a node again after its `_process`, but not the receiver of a signal. `process_frame` is also emitted while
//! the game is paused.

use godot::obj::bounds::DeclUser;
use godot::obj::{Bounds, Inherits, WithSignals};
use godot::prelude::*;
use godot::signal::ConnectHandle;

/// Calls `callback` once per frame until the returned connection is disconnected or `node` is freed.
///
/// The node is not borrowed during the call, so that signal handlers can call its methods.
pub(crate) fn each_frame<C>(node: &Gd<C>, callback: fn(Gd<C>)) -> ConnectHandle
where
    C: GodotClass + Inherits<Node> + Bounds<Declarer = DeclUser> + WithSignals,
{
    let tree = node.upcast_ref::<Node>().get_tree();
    tree.signals().process_frame().builder().connect_other_gd(node, callback)
}

/// Ends the calls, when the node leaves the tree.
pub(crate) fn disconnect(connection: &mut Option<ConnectHandle>) {
    if let Some(connection) = connection.take().filter(ConnectHandle::is_connected) {
        connection.disconnect();
    }
}
