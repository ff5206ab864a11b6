//! What an administrator reads and types: the programs `licensectl` and `lmutil`, which prints what administrators of
//! FlexNet servers have been reading for twenty years, and what stands behind them.
//!
//! ```no_run
//! use licensing_admin::survey::ask;
//! use licensing_admin::text;
//! use licensing_client::{SearchPath, ServerAddress};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let path: SearchPath = "27000@alpha,27000@beta,27000@gamma".parse()?;
//! let limit = std::time::Duration::from_secs(10);
//! let survey = ask::survey(path.sites()[0].servers(), &Default::default(), limit).await;
//! print!("{}", text::status::text(&survey, &jiff::tz::TimeZone::system()));
//! # Ok(())
//! # }
//! ```
//!
//! | if you want to | look at |
//! |---|---|
//! | know what a triad looks like from the outside | [`survey`] |
//! | have it as text or as JSON | [`text`] |
//! | change something: stop a server, wait for a master | [`operate`] |
//! | write a program that speaks as these do | [`console`], [`exit`], [`key_file`] |
//!
//! What this crate does not do: it decides nothing about seats, keeps nothing, and serves nobody. It asks servers by
//! the client protocol ([`licensing_client`]) and has neither openraft nor a database nor an HTTP server in its tree.

#![forbid(unsafe_code)]

pub mod cli;
pub mod console;
pub mod exit;
pub mod key_file;
pub mod operate;
pub mod personality;
pub mod survey;
pub mod text;

/// Version of these programs, as they tell it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
