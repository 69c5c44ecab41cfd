//! The statements that write: UNLOAD, CREATE TABLE AS and INSERT INTO. Files go through the store's own PUT, so into
//! its buckets and nowhere else; the query inside can only read.

mod create_table_as;
mod files;
mod insert;
mod rows;
mod unload;

pub(super) use create_table_as::run as create_table_as;
pub(super) use insert::run as insert;
pub(super) use unload::run as unload;
