//! Physical names and ARNs: what `Ref` and `Fn::GetAtt` give for a resource.

use super::error::{Error, Place};
use super::resolve::{Resolver, scalar};
use serde_json::Value as Json;

impl Resolver<'_> {
    /// `arn:aws:<service>:<region>:<account>:<resource>`.
    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        let settings = self.settings();
        format!("arn:aws:{service}:{}:{}:{resource}", settings.region, settings.account)
    }

    /// The resource's own name: the one the template gives, else the one CloudFormation would make up, without its random end.
    pub(super) fn physical_name(&self, logical_id: &str, at: &Place) -> Result<String, Error> {
        let missing = || Error::MissingReference { at: at.clone(), name: logical_id.to_owned() };
        let Some(resource) = self.resource(logical_id) else {
            return if self.is_generated_role(logical_id) { Ok(self.made_up(logical_id)) } else { Err(missing()) };
        };
        let property: &[&str] = match resource.kind.as_str() {
            "AWS::S3::Bucket" => &["BucketName"],
            "AWS::SQS::Queue" => &["QueueName"],
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => &["FunctionName"],
            "AWS::IAM::Role" => &["RoleName"],
            "AWS::Glue::Database" => &["DatabaseInput", "Name"],
            "AWS::Glue::Table" => &["TableInput", "Name"],
            "AWS::Glue::Crawler" | "AWS::Athena::WorkGroup" | "AWS::SecretsManager::Secret" => &["Name"],
            _ => &[],
        };
        let given = property.split_first().and_then(|(first, rest)| {
            let start = resource.body.get("Properties")?.get(first)?;
            rest.iter().try_fold(start, |value, key| value.get(key))
        });
        if let Some(given) = given {
            let place = at.follow(logical_id, &format!("Properties.{}", property.join(".")));
            let resolved = self.resolve(given, &place)?;
            if let Some(resolved) = resolved {
                return scalar(&resolved).ok_or(Error::WrongType { at: place, expected: "a text" });
            }
        }
        let name = self.made_up(logical_id);
        Ok(if resource.kind == "AWS::S3::Bucket" { name.to_lowercase() } else { name })
    }

    /// What `Ref` gives for a resource.
    pub(super) fn physical_reference(&self, logical_id: &str, at: &Place) -> Result<String, Error> {
        let name = self.physical_name(logical_id, at)?;
        Ok(match self.kind(logical_id) {
            "AWS::SQS::Queue" => self.queue_url(&name),
            "AWS::SecretsManager::Secret" => self.arn("secretsmanager", &format!("secret:{name}")),
            _ => name,
        })
    }

    /// What `Fn::GetAtt` gives. Resources of types that this reader does not know get an ARN of the usual form.
    pub(super) fn attribute(&self, logical_id: &str, attribute: &str, at: &Place) -> Result<String, Error> {
        let name = self.physical_name(logical_id, at)?;
        let settings = self.settings();
        let missing = || Error::MissingAttribute { at: at.clone(), name: logical_id.to_owned(), attribute: attribute.to_owned() };
        Ok(match (self.kind(logical_id), attribute) {
            ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{name}"),
            ("AWS::S3::Bucket", "DomainName") => format!("{name}.s3.amazonaws.com"),
            ("AWS::S3::Bucket", "RegionalDomainName") => format!("{name}.s3.{}.amazonaws.com", settings.region),
            ("AWS::SQS::Queue", "Arn") => self.arn("sqs", &name),
            ("AWS::SQS::Queue", "QueueName") => name,
            ("AWS::SQS::Queue", "QueueUrl") => self.queue_url(&name),
            ("AWS::Serverless::Function" | "AWS::Lambda::Function", "Arn") => self.arn("lambda", &format!("function:{name}")),
            ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{}:role/{name}", settings.account),
            ("AWS::IAM::Role", "RoleId") => name,
            ("AWS::S3::Bucket" | "AWS::SQS::Queue" | "AWS::Serverless::Function" | "AWS::IAM::Role", _) => {
                return Err(missing());
            }
            (kind, attribute) if attribute.ends_with("Arn") => {
                let service = kind.split("::").nth(1).unwrap_or("unknown").to_lowercase();
                self.arn(&service, &name)
            }
            (_, attribute) => format!("{name}.{attribute}"),
        })
    }

    /// The type of a resource; SAM's generated roles are roles although they do not stand in the template.
    fn kind(&self, logical_id: &str) -> &str {
        self.resource(logical_id).map_or("AWS::IAM::Role", |resource| resource.kind.as_str())
    }

    /// SAM makes `<Function>Role` for each function without a role of its own.
    fn is_generated_role(&self, logical_id: &str) -> bool {
        logical_id.strip_suffix("Role").and_then(|function| self.resource(function)).is_some_and(|resource| {
            let has_own = resource.body.get("Properties").and_then(|properties: &Json| properties.get("Role")).is_some();
            resource.kind == "AWS::Serverless::Function" && !has_own
        })
    }

    fn made_up(&self, logical_id: &str) -> String {
        format!("{}-{logical_id}", self.settings().stack)
    }

    fn queue_url(&self, name: &str) -> String {
        let settings = self.settings();
        format!("https://sqs.{}.amazonaws.com/{}/{name}", settings.region, settings.account)
    }
}
