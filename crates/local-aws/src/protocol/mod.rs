//! What every service here speaks and belongs to: AWS JSON 1.1 and the local account. The services are built on it, and the gateway on the
//! services.

mod account;
mod json;

pub use account::{ACCESS_KEY_ID, ACCOUNT_ID, REGION, SECRET_ACCESS_KEY};
pub use json::ApiError;
pub(crate) use json::{ApiResult, Input, now, page};
