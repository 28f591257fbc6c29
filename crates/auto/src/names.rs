//! Names of forecasters.

/// The pool among the forecasters of a backtest.
pub const POOL: &str = "pool";

/// The network among the members.
pub const NETWORK: &str = "network";

/// The naive forecast among the members.
pub(crate) const NAIVE: &str = "seasonal naive";
