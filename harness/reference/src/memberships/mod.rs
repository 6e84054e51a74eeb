//! How the users of a server join and leave rooms, here and by way of other servers.

pub(crate) mod leaves;
pub(crate) mod local;
pub(crate) mod remote;
pub(crate) mod restricted;
