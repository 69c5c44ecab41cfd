#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Deployment, Error, Settings, StartingPosition};
use std::time::Duration;

const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  KafkaTopic: { Type: String, Default: quotes }
  KafkaBootstrapServers: { Type: CommaDelimitedList }
  Stage: { Type: String, Default: dev }
  Window: { Type: Number, Default: 5 }
Mappings:
  Sizes: { dev: { memory: 256 }, prod: { memory: 512 } }
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  Both: !And [!Condition IsProd, !Condition IsDev]
Globals:
  Function:
    Timeout: 30
    MemorySize: 128
    LoggingConfig: { LogFormat: JSON }
    Environment:
      Variables: { RUST_LOG: info, SHARED: global }
Resources:
  LakeBucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub '${AWS::StackName}-lake-${AWS::AccountId}-${AWS::Region}'
      NotificationConfiguration:
        QueueConfigurations:
          - Event: s3:ObjectCreated:*
            Queue: !GetAtt ObjectCreatedQueue.Arn
            Filter: { S3Key: { Rules: [{ Name: prefix, Value: quotes/ }, { Name: suffix, Value: .parquet }] } }
  ObjectCreatedQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 90
      RedrivePolicy:
        deadLetterTargetArn: { 'Fn::GetAtt': [DeadLetters, Arn] }
        maxReceiveCount: 5
  DeadLetters: { Type: AWS::SQS::Queue }
  ProdOnly:
    Type: AWS::SQS::Queue
    Condition: IsProd
  WriteQuotesFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: write-quotes } }
    Properties:
      CodeUri: functions/elsewhere
      MemorySize: !FindInMap [Sizes, !Ref Stage, memory]
      Environment:
        Variables:
          SHARED: own
          LAKE_BUCKET: !Ref LakeBucket
          BUCKET_ARN: !GetAtt LakeBucket.Arn
          ROLE: !GetAtt WriteQuotesFunctionRole.Arn
          TABLE_ARN: !Sub 'arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:table/${LakeDatabase}/${QuotesTable}'
          WITH_VARIABLES: !Sub ['${Name}-${KafkaTopic}', { Name: !Join ['+', [a, b]] }]
          SECOND: !Select [1, !Split [',', 'x,y,z']]
          ABSENT: !If [IsProd, here, !Ref AWS::NoValue]
          COUNT: 3
          NEW_KIND: !GetAtt Grown.TopicArn
      Events:
        Kafka:
          Type: SelfManagedKafka
          Properties:
            Topics: [!Ref KafkaTopic]
            KafkaBootstrapServers: !Ref KafkaBootstrapServers
            ConsumerGroupId: write-quotes
            BatchSize: 5000
            MaximumBatchingWindowInSeconds: !Ref Window
            StartingPosition: TRIM_HORIZON
            SourceAccessConfigurations: [{ Type: VPC_SUBNET, URI: !Select [7, !Ref KafkaBootstrapServers] }]
        Unheard:
          Type: SomethingNew
          Properties: { X: !ImportValue nowhere }
  StartCrawlerFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/start-crawler/
      Timeout: 60
      Events:
        Objects:
          Type: SQS
          Properties:
            Queue: !GetAtt ObjectCreatedQueue.Arn
            BatchSize: 10
            MaximumBatchingWindowInSeconds: 20
            FunctionResponseTypes: [ReportBatchItemFailures]
        Nightly:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: cron(* 9-16 ? * MON-FRI *)
            ScheduleExpressionTimezone: America/New_York
            Input: '{"scheduled": "<aws.scheduler.scheduled-time>"}'
            RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 120 }
            State: DISABLED
        Crawled:
          Type: EventBridgeRule
          Properties:
            Pattern: { source: [aws.glue], detail: { crawlerName: [!Ref QuotesCrawler], state: [Succeeded, Failed] } }
        Silenced:
          Type: CloudWatchEvent
          Properties: { Pattern: { source: [aws.s3] }, Input: constant, State: DISABLED }
  InlineFunction:
    Type: AWS::Serverless::Function
    Properties: { InlineCode: 'exports.handler = 1', Runtime: nodejs22.x }
  LakeDatabase:
    Type: AWS::Glue::Database
    Properties: { CatalogId: !Ref AWS::AccountId, DatabaseInput: { Name: tickerlake } }
  QuotesTable:
    Type: AWS::Glue::Table
    Properties:
      DatabaseName: !Ref LakeDatabase
      TableInput:
        Name: quotes
        Parameters: { classification: parquet, projection: true, version: 2 }
        PartitionKeys: [{ Name: dt, Type: string }]
        StorageDescriptor:
          Columns: [{ Name: symbol, Type: string }, { Name: price, Type: 'decimal(18,6)' }]
          Location: !Sub s3://${LakeBucket}/quotes/
          SerdeInfo: { Parameters: { serialization.format: 1 } }
  QuotesCrawler:
    Type: AWS::Glue::Crawler
    Properties:
      Name: quotes-crawler
      Role: !GetAtt CrawlerRole.Arn
      DatabaseName: !Ref LakeDatabase
      Targets: { CatalogTargets: [{ DatabaseName: !Ref LakeDatabase, Tables: [!Ref QuotesTable] }] }
      SchemaChangePolicy: { UpdateBehavior: LOG, DeleteBehavior: LOG }
  CrawlerRole:
    Type: AWS::IAM::Role
    Properties: { AssumeRolePolicyDocument: !Transform { Name: AWS::Include } }
  LakeWorkGroup:
    Type: AWS::Athena::WorkGroup
    Properties:
      Name: tickerlake
      WorkGroupConfiguration:
        BytesScannedCutoffPerQuery: 10737418240
        ResultConfiguration: { OutputLocation: !Sub 's3://${LakeBucket}/results/' }
  LatestQuery:
    Type: AWS::Athena::NamedQuery
    Properties: { Name: latest, Database: !Ref LakeDatabase, WorkGroup: !Ref LakeWorkGroup, QueryString: SELECT 1 }
  Grown:
    Type: AWS::SNS::Topic
    Properties: { Anything: !Cidr [a, b] }
"#;

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.parameters.insert("KafkaBootstrapServers".into(), "127.0.0.1:9092, 127.0.0.1:9093".into());
    settings
}

fn deployment() -> Deployment {
    Deployment::parse(TEMPLATE, &settings()).unwrap()
}

#[test]
fn function_settings_merge_globals_and_resolve_references() {
    let deployment = deployment();
    let function = deployment.function("WriteQuotesFunction").unwrap();
    assert_eq!(function.binary, "write-quotes");
    assert_eq!(function.name, "tickerlake-WriteQuotesFunction");
    assert_eq!(function.arn, "arn:aws:lambda:us-east-1:000000000000:function:tickerlake-WriteQuotesFunction");
    assert_eq!(function.timeout, Duration::from_secs(30));
    assert_eq!(function.memory_mb, 256);
    assert_eq!(function.log_format.as_deref(), Some("JSON"));
    let expected = [
        ("BUCKET_ARN", "arn:aws:s3:::tickerlake-lake-000000000000-us-east-1"),
        ("COUNT", "3"),
        ("LAKE_BUCKET", "tickerlake-lake-000000000000-us-east-1"),
        ("NEW_KIND", "arn:aws:sns:us-east-1:000000000000:tickerlake-Grown"),
        ("ROLE", "arn:aws:iam::000000000000:role/tickerlake-WriteQuotesFunctionRole"),
        ("RUST_LOG", "info"),
        ("SECOND", "y"),
        ("SHARED", "own"),
        ("TABLE_ARN", "arn:aws:glue:us-east-1:000000000000:table/tickerlake/quotes"),
        ("WITH_VARIABLES", "a+b-quotes"),
    ];
    let environment: Vec<_> = function.environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(environment, expected);
    assert!(deployment.function("InlineFunction").is_none());
}

#[test]
fn triggers_carry_what_their_pollers_need() {
    let deployment = deployment();
    let kafka = &deployment.function("WriteQuotesFunction").unwrap().kafka[0];
    assert_eq!(kafka.topic, "quotes");
    assert_eq!(kafka.bootstrap_servers, ["127.0.0.1:9092", "127.0.0.1:9093"]);
    assert_eq!(kafka.consumer_group.as_deref(), Some("write-quotes"));
    assert_eq!((kafka.batch_size, kafka.batch_window), (5000, Duration::from_secs(5)));
    assert_eq!(kafka.starting_position, StartingPosition::TrimHorizon);

    let function = deployment.function("StartCrawlerFunction").unwrap();
    assert_eq!(function.binary, "start-crawler");
    assert_eq!(function.timeout, Duration::from_secs(60));
    let queue = &function.queues[0];
    assert_eq!(queue.queue, "ObjectCreatedQueue");
    assert_eq!((queue.batch_size, queue.batch_window), (10, Duration::from_secs(20)));
    assert!(queue.partial_batch_responses);
    let schedule = &function.schedules[0];
    assert_eq!(schedule.expression, "cron(* 9-16 ? * MON-FRI *)");
    assert_eq!(schedule.timezone.as_deref(), Some("America/New_York"));
    assert!(!schedule.enabled);
    assert_eq!(schedule.retry.unwrap().maximum_attempts, Some(2));
}

#[test]
fn queues_buckets_and_the_lake_are_read() {
    let deployment = deployment();
    let ids: Vec<_> = deployment.queues.iter().map(|queue| queue.logical_id.as_str()).collect();
    assert_eq!(ids, ["DeadLetters", "ObjectCreatedQueue"], "a resource with a false condition is not there");
    let queue = deployment.queue("ObjectCreatedQueue").unwrap();
    assert_eq!(queue.visibility_timeout, Duration::from_secs(90));
    assert_eq!(queue.redrive.as_ref().unwrap().dead_letter_queue, "DeadLetters");
    assert_eq!(queue.redrive.as_ref().unwrap().max_receive_count, 5);

    let rule = &deployment.bucket("LakeBucket").unwrap().notifications[0];
    assert_eq!(rule.queue, "ObjectCreatedQueue");
    assert!(rule.matches("ObjectCreated:Put", "quotes/dt=2013-10-07/a.parquet"));
    assert!(!rule.matches("ObjectCreated:Put", "state/a.parquet"));
    assert!(!rule.matches("ObjectRemoved:Delete", "quotes/a.parquet"));

    let table = &deployment.tables[0];
    assert_eq!((table.database.as_str(), table.name.as_str()), ("tickerlake", "quotes"));
    assert_eq!(table.input["Parameters"]["projection"], "true");
    assert_eq!(table.input["StorageDescriptor"]["SerdeInfo"]["Parameters"]["serialization.format"], "1");
    assert_eq!(table.input["StorageDescriptor"]["Location"], "s3://tickerlake-lake-000000000000-us-east-1/quotes/");
    let crawler = &deployment.crawlers[0];
    assert_eq!(crawler.targets["CatalogTargets"][0]["Tables"][0], "quotes");
    assert_eq!(crawler.role.as_deref(), Some("arn:aws:iam::000000000000:role/tickerlake-CrawlerRole"));
    let workgroup = &deployment.workgroups[0];
    assert_eq!(workgroup.bytes_scanned_cutoff, Some(10_737_418_240));
    assert!(workgroup.enforced);
    assert_eq!(deployment.named_queries[0].workgroup.as_deref(), Some("tickerlake"));
}

/// One function whose variable `X` holds the given YAML.
fn with_variable(value: &str) -> Result<String, Error> {
    let text = format!(
        "Parameters:\n  Needed: {{Type: String}}\nConditions:\n  Round: !Condition Round\nResources:\n  F:\n    \
         Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: functions/f\n      Environment:\n        \
         Variables:\n          X: {value}\n"
    );
    let deployment = Deployment::parse(&text, &Settings::default())?;
    Ok(deployment.functions[0].environment["X"].clone())
}

#[test]
fn literal_dollar_braces_stay() {
    assert_eq!(with_variable("!Sub 'a-${!Kept}-${AWS::Region}'").unwrap(), "a-${Kept}-us-east-1");
}

#[test]
fn errors_name_the_resource_and_the_path() {
    let error = with_variable("!ImportValue other").unwrap_err();
    assert!(matches!(&error, Error::UnknownIntrinsic { name, .. } if name == "Fn::ImportValue"), "{error}");
    assert!(error.to_string().contains("F at Properties.Environment.Variables.X"), "{error}");

    let error = with_variable("!Ref Nowhere").unwrap_err();
    assert!(matches!(&error, Error::MissingReference { name, .. } if name == "Nowhere"), "{error}");
    let error = with_variable("!Sub '${Nowhere.Arn}'").unwrap_err();
    assert!(matches!(&error, Error::MissingReference { name, .. } if name == "Nowhere"), "{error}");
    let error = with_variable("!Ref Needed").unwrap_err();
    assert!(matches!(&error, Error::MissingParameter { name, .. } if name == "Needed"), "{error}");
    let error = with_variable("!If [Round, a, b]").unwrap_err();
    assert!(matches!(error, Error::Circular { .. }), "{error}");
    let error = with_variable("!Join [',', nolist]").unwrap_err();
    assert!(matches!(error, Error::WrongType { .. }), "{error}");
}

#[test]
fn a_name_that_refers_to_itself_is_an_error() {
    let text = "Resources:\n  A: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !GetAtt A.QueueName}}\n";
    let error = Deployment::parse(text, &Settings::default()).unwrap_err();
    assert!(matches!(error, Error::Circular { .. }), "{error}");
}

#[test]
fn values_for_unknown_parameters_are_refused() {
    let mut settings = settings();
    settings.parameters.insert("KafkaTopik".into(), "x".into());
    let error = Deployment::parse(TEMPLATE, &settings).unwrap_err();
    assert!(matches!(&error, Error::UnknownParameter { name } if name == "KafkaTopik"), "{error}");
}

#[test]
fn rules_are_read_with_their_patterns_resolved() {
    let deployment = deployment();
    let [crawled, silenced] = deployment.function("StartCrawlerFunction").unwrap().rules.as_slice() else { panic!("two rules") };
    let pattern =
        serde_json::json!({"source": ["aws.glue"], "detail": {"crawlerName": ["quotes-crawler"], "state": ["Succeeded", "Failed"]}});
    assert_eq!((crawled.name.as_str(), &crawled.pattern, crawled.enabled), ("Crawled", &pattern, true));
    assert_eq!((silenced.input.as_deref(), silenced.enabled), (Some("constant"), false));
}

#[test]
fn a_rule_that_would_run_otherwise_on_aws_is_refused() {
    for property in ["EventBusName: custom", "InputPath: $.detail"] {
        let template = TEMPLATE.replace("Input: constant", property);
        let error = Deployment::parse(&template, &settings()).unwrap_err();
        assert!(matches!(&error, Error::WrongType { at, .. } if property.starts_with(at.path.rsplit('.').next().unwrap())), "{error}");
    }
}
