"""The ways in which the template is deployed: what each test that looks at what is deployed goes through."""

from __future__ import annotations

EXISTING_VPC = {
    "ExistingVpcId": "vpc-0123456789abcdef0",
    "ExistingSubnetIds": "subnet-0123456789abcdef1,subnet-0123456789abcdef2,subnet-0123456789abcdef3",
    "ExistingSubnetZones": "us-east-1a,us-east-1b,us-east-1c",
}

EXISTING_CLUSTER = {
    "ExistingBootstrapServers": "b-1.example.com:9096,b-2.example.com:9096",
    "ExistingSubnetIds": "subnet-0123456789abcdef1,subnet-0123456789abcdef2",
    "ExistingSecurityGroupId": "sg-0123456789abcdef0",
    "ExistingProducerSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:producer-AbCdEf",
    "ExistingConsumerSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:consumer-AbCdEf",
}

DEPLOYMENTS: dict[str, dict[str, str]] = {
    "one broker": {},
    "one broker that is the NAT": {"Egress": "broker"},
    "three brokers": {"BrokerCount": "3"},
    "one broker in an existing VPC": EXISTING_VPC,
    "three brokers in an existing VPC": {**EXISTING_VPC, "BrokerCount": "3"},
    "an existing cluster": EXISTING_CLUSTER,
    "an existing cluster with its own authority and key": {
        **EXISTING_CLUSTER,
        "ExistingCaSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca-AbCdEf",
        "ExistingSecretsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
    },
}

# Parameters that switch something on, whatever the cluster and the network are.
EVERYTHING_ON = {
    "AlarmEmail": "somebody@example.com",
    "KafkaArchiveS3Uri": "s3://archive/kafka.tgz",
    "MonthlyBudget": "100",
    "QuoteApiKeySecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf",
    "RemoveCompactedAfter": "7d",
    "ReserveConcurrency": "on",
    "SymbolsS3Uri": "s3://lists/symbols.txt",
}
