//! One listener for S3, SQS, Glue and Athena: what `AWS_ENDPOINT_URL` of the local stack points to.
//!
//! The services share a port because the SDKs take one endpoint for all of them. Those other than S3 speak JSON and name
//! the operation in `X-Amz-Target`; whatever comes without that header is S3, path style. S3 checks signatures against
//! the account's fixed keys; the others take any request, for it comes from this machine.

mod config;
mod error;
mod serve;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use config::GatewayConfig;
pub use error::GatewayError;

use crate::athena::Athena;
use crate::glue::{Crawling, Glue};
use crate::lambda::{Functions, Lambda};
use crate::protocol::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use crate::s3::{Recovered, Store};
use crate::sqs::Sqs;

/// How long requests under way may take to finish at [`Gateway::stop`].
const GRACE: Duration = Duration::from_secs(2);

/// The running listener. Dropping it stops it too, without the grace for requests under way.
pub struct Gateway {
    address: SocketAddr,
    recovered: Recovered,
    stopping: CancellationToken,
    server: JoinHandle<()>,
    glue: Glue,
    athena: Athena,
    functions: Arc<OnceLock<Functions>>,
}

impl Gateway {
    /// Opens the data folder, seeds Glue and Athena, and listens on 127.0.0.1.
    pub async fn start(config: GatewayConfig) -> Result<Self, GatewayError> {
        // The port first: whoever finds it taken is most often the second `tickerlake local` on this folder, and must
        // not touch the first one's files.
        let listener = listen(config.port).await?;
        let address = listener.local_addr().map_err(|source| GatewayError::Listen { port: config.port, source })?;

        let (store, recovered) = Store::open(&config.data_dir.join("s3"), &config.buckets, config.on_object_created)?;
        let crawling = Crawling {
            s3_root: store.root().to_owned(),
            takes_at_least: config.crawl_takes_at_least,
            clock: config.clock,
            state_change: config.on_crawler_state_change,
        };
        let glue = Glue::open(&config.data_dir.join("glue"), crawling)?;
        glue.seed(&config.glue)?;
        let athena = Athena::open(&config.data_dir.join("athena"), store.clone(), glue.clone(), config.athena)?;

        let functions = Arc::default();
        let mut s3 = S3ServiceBuilder::new(store);
        s3.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let services = serve::Services {
            s3: s3.build(),
            faults: config.faults,
            glue: glue.clone(),
            athena: athena.clone(),
            sqs: Sqs::new(config.queues),
            functions: Arc::clone(&functions),
        };
        let stopping = CancellationToken::new();
        let server = tokio::spawn(serve::serve(listener, services, stopping.clone(), GRACE));
        tracing::info!(%address, "S3, Glue and Athena are listening.");
        Ok(Self { address, recovered, stopping, server, glue, athena, functions })
    }

    /// The address with its port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients set as `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a client process needs to talk to this gateway, and nothing else of the machine's AWS configuration.
    #[must_use]
    pub fn client_environment(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint_url().as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    /// Serves Lambda's Invoke for these functions, too: what `aws lambda invoke` asks for. The first Lambda stays.
    pub fn serve_functions(&self, lambda: &Lambda) {
        let _ = self.functions.set(lambda.functions());
    }

    /// What the store settled when it opened.
    #[must_use]
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Stops listening, lets requests under way finish for a moment, cancels queries and crawls.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if let Err(error) = (&mut self.server).await {
            tracing::warn!(%error, "The gateway's listener ended badly.");
        }
        self.athena.stop();
        self.glue.stop().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.server.abort();
        self.athena.stop();
    }
}

async fn listen(port: u16) -> Result<TcpListener, GatewayError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => GatewayError::PortInUse { port },
        _ => GatewayError::Listen { port, source },
    })
}
