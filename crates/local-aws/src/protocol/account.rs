//! Whose the local stack's resources are, and the keys that open them.

/// `AWS_ACCESS_KEY_ID` of the local stack.
pub const ACCESS_KEY_ID: &str = "local";

/// `AWS_SECRET_ACCESS_KEY` of the local stack.
pub const SECRET_ACCESS_KEY: &str = "local";

/// `AWS_REGION` of the local stack.
pub const REGION: &str = "us-east-1";

/// The account that the local stack's resources belong to.
pub const ACCOUNT_ID: &str = "000000000000";
