//! The AWS SDK's HTTP by way of reqwest, whose TLS is OpenSSL's, as librdkafka's is: the SDK's own client would bring a second TLS
//! library into the function, which each cold start would load.

use std::time::Duration;

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;

/// How long a connection may take to come about. How long a call may take is the SDK's to say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A client for all of the SDK's clients.
pub(super) fn client() -> Result<SharedHttpClient, reqwest::Error> {
    let client = reqwest::Client::builder()
        .tls_backend_native()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .build()?;
    let connector = SharedHttpConnector::new(Connector(client));
    Ok(http_client_fn(move |_, _| connector.clone()))
}

#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { send(client, request).await })
    }
}

async fn send(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (head, body) = request.into_parts();
    let body = body.bytes().ok_or_else(|| ConnectorError::user("a body that is not in memory".into()))?.to_vec();
    let request = reqwest::Request::try_from(http::Request::from_parts(head, body)).map_err(|error| ConnectorError::user(error.into()))?;
    let response = client.execute(request).await.map_err(failure)?;
    let (status, headers) = (response.status(), response.headers().clone());
    // A secret, or a list of symbols: no body here is worth a stream.
    let mut answer = http::Response::new(SdkBody::from(response.bytes().await.map_err(failure)?));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
}

/// The SDK tries again what timed out and what broke.
fn failure(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpListener;
    use std::sync::Arc;

    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_s3::error::DisplayErrorContext;
    use rustls::pki_types::PrivateKeyDer;

    use super::*;

    /// A server for `localhost` whose certificate nobody signed but itself. It ends with the first connection.
    fn stranger() -> (u16, std::thread::JoinHandle<std::io::Result<()>>) {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(builder.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move || {
            let (mut stream, _) = listener.accept()?;
            let mut connection = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
            while connection.is_handshaking() {
                connection.complete_io(&mut stream)?;
            }
            Ok(())
        };
        (port, std::thread::spawn(serve))
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_signed_is_refused() {
        let (port, server) = stranger();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "key", None, None, "test"))
            .endpoint_url(format!("https://localhost:{port}"))
            .force_path_style(true)
            .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
            .http_client(client().unwrap())
            .build();
        let error = aws_sdk_s3::Client::from_conf(config).get_object().bucket("lists").key("us.txt").send().await.unwrap_err();
        let error = DisplayErrorContext(error).to_string();
        assert!(error.contains("certificate verify failed"), "{error}");
        assert!(server.join().unwrap().is_err(), "the server was spoken to all the same");
    }
}
