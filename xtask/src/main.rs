//! The chores of the halloo workspace.

fn main() {}
