//! Tests of the door with servers and clients that write bytes.

mod around;
mod hostile;
mod routing;
mod stand;
