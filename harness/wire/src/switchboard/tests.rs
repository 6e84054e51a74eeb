//! The door, tried with servers and clients that write bytes.

mod around;
mod hostile;
mod routing;
mod stand;
