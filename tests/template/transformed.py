"""template.yaml as CloudFormation sees it, after the SAM transform.

Run as a module, it prints the transformed template as JSON.
"""

import functools
import json
import logging
import os
import pathlib

# The translator asks for the region that it deploys to.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# It warns of metrics of its own that nobody collects.
logging.getLogger("samtranslator").setLevel(logging.ERROR)

TEMPLATE = pathlib.Path(__file__).parents[2] / "template.yaml"

# What `sam deploy` uploads, by type of resource.
UPLOADED = {"AWS::Serverless::Function": ("CodeUri",), "AWS::Serverless::LayerVersion": ("ContentUri",)}


class NoManagedPolicies:
    """The template names no AWS managed policy; the translator's own loader would ask IAM for their list."""

    def load(self):
        return {}


def source():
    """The template as it is written, its short-form functions in their long form."""
    return yaml_parse(TEMPLATE.read_text(encoding="utf-8"))


def binaries():
    """The functions' packages, whose names their binaries have, by their logical ids."""
    resources = source()["Resources"]
    return {
        name: resource["Metadata"]["BuildProperties"]["Binary"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


@functools.cache
def transformed():
    """The template after the transform, with its references to parameters kept."""
    template = source()
    for resource in template["Resources"].values():
        # The transform takes uploaded files only. `sam deploy` uploads them and says where.
        for uri in UPLOADED.get(resource["Type"], ()):
            resource["Properties"][uri] = "s3://artifacts/" + resource["Properties"][uri]
    return transform(template, {}, NoManagedPolicies())


if __name__ == "__main__":
    print(json.dumps(transformed(), indent=2))
