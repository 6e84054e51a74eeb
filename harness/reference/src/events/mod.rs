//! Events: the server's own, and those that it receives.

pub(crate) mod create_room;
pub(crate) mod history;
pub(crate) mod publish;
pub(crate) mod receive;
pub(crate) mod send;
