//! Whether a broker still answers.

use super::error::Error;
use super::serving::Serving;
use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, KafkaResult};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the broker may take to answer for the first time.
const READY: Duration = Duration::from_secs(30);
const READY_RETRY: Duration = Duration::from_millis(10);
const READY_ANSWER: Duration = Duration::from_millis(500);

/// The client that asks.
pub(super) type Admin = AdminClient<DefaultClientContext>;

/// How closely a broker is watched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    /// How often it is asked.
    pub(super) every: Duration,
    /// How long it may take to answer once.
    pub(super) answer_within: Duration,
    /// How long it may go without an answer before it counts as broken: longer than any load keeps it from answering.
    pub(super) patience: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self { every: Duration::from_secs(2), answer_within: Duration::from_secs(5), patience: Duration::from_secs(20) }
    }
}

/// Asks for the cluster's id until it is answered: whoever answers with another one has taken the port meanwhile.
pub(super) async fn wait_until_ready(serving: &mut Serving, port: u16, cluster_id: &str) -> Result<Arc<Admin>, Error> {
    let admin: Admin = ClientConfig::new()
        .set("bootstrap.servers", format!("127.0.0.1:{port}"))
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100")
        .create()
        .map_err(|source| Error::Unanswered { port, source })?;
    let admin = Arc::new(admin);
    let deadline = Instant::now() + READY;
    loop {
        if serving.has_ended() {
            return Err(serving.end(port).await);
        }
        match ask(&admin, READY_ANSWER).await {
            Ok(Some(id)) if id == cluster_id => return Ok(admin),
            Ok(Some(_)) => return Err(Error::PortBusy { port }),
            Err(source) if Instant::now() >= deadline => return Err(Error::Unanswered { port, source }),
            _ => sleep(READY_RETRY).await,
        }
    }
}

/// Returns once the broker has ended, or has not answered for too long, and says which.
pub(super) async fn until_broken(serving: &mut Serving, admin: &Arc<Admin>, port: u16, watch: Watch) -> Error {
    let mut answered = Instant::now();
    loop {
        sleep(watch.every).await;
        if serving.has_ended() {
            return serving.end(port).await;
        }
        match ask(admin, watch.answer_within).await {
            Ok(_) => answered = Instant::now(),
            Err(source) if answered.elapsed() >= watch.patience => return Error::Unanswered { port, source },
            Err(_) => {}
        }
    }
}

/// The cluster's id. Only a broker that reads its log can answer.
async fn ask(admin: &Arc<Admin>, answer_within: Duration) -> KafkaResult<Option<String>> {
    let admin = Arc::clone(admin);
    let asked = tokio::task::spawn_blocking(move || {
        let client = admin.inner();
        // The id comes with the metadata; asked for alone it would be waited for all the time.
        client.fetch_metadata(None, answer_within)?;
        Ok(client.fetch_cluster_id(answer_within))
    });
    asked.await.unwrap_or(Err(KafkaError::Canceled))
}
