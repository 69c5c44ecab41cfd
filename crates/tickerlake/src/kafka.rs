//! How the command connects to Kafka.

use quotes::schema;
use rdkafka::ClientConfig;

/// A client's settings for `bootstrap_servers`, secured as the environment's variables say: the same ones that
/// `fetch-quotes` reads.
pub(crate) fn client(bootstrap_servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers);
    if variable("KAFKA_SECURITY_PROTOCOL").as_deref() == Some("sasl_ssl") {
        config.set("security.protocol", "sasl_ssl").set("sasl.mechanisms", "SCRAM-SHA-512");
        for (name, setting) in
            [("KAFKA_USERNAME", "sasl.username"), ("KAFKA_PASSWORD", "sasl.password"), ("KAFKA_CA_CERTIFICATE", "ssl.ca.pem")]
        {
            if let Some(value) = variable(name) {
                config.set(setting, value);
            }
        }
    }
    config
}

/// The topic: `KAFKA_TOPIC`, or `quotes`.
pub(crate) fn topic() -> String {
    variable("KAFKA_TOPIC").unwrap_or_else(|| schema::TABLE.to_owned())
}

/// The brokers that `KAFKA_BOOTSTRAP_SERVERS` names.
pub(crate) fn servers_of_environment() -> Option<String> {
    variable("KAFKA_BOOTSTRAP_SERVERS")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
