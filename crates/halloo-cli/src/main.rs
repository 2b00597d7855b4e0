//! The command line of halloo.

fn main() {}
