"""The template as CloudFormation deploys it for given parameters.

What the transform leaves is evaluated here: parameters are checked as they are declared, Rules are asserted, resources whose
condition is false are dropped, and of each Fn::If one branch stays. A reference to a resource is left as `${Name}` or
`${Name.Attribute}` wherever it stands, so that texts can be compared and references be found in them.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, Iterator

from tests.template.transformed import transformed

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/tickerlake/1",
    "AWS::StackName": "tickerlake",
    "AWS::URLSuffix": "amazonaws.com",
}

REFERENCE = re.compile(r"\$\{(\w+)(?:\.[\w.]+)?\}")


class Rejected(Exception):
    """CloudFormation would refuse this before it makes anything."""


class _NoValue:
    """What `AWS::NoValue` leaves behind: its key, or its place in a list, is not there."""


@dataclasses.dataclass(frozen=True)
class Rendered:
    """What is deployed."""

    resources: dict[str, dict[str, Any]]
    outputs: dict[str, dict[str, Any]]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of the resources of a type, by logical id."""
        return {name: resource.get("Properties", {}) for name, resource in self.resources.items() if resource["Type"] == kind}

    def properties(self, name: str) -> dict[str, Any]:
        return self.resources[name]["Properties"]

    def statements(self, role: str) -> Iterator[dict[str, Any]]:
        """The statements of a role's own policies, actions and resources as lists."""
        for policy in self.properties(role).get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                lists = {key: as_list(statement[key]) for key in ("Action", "Resource")}
                yield {**statement, **lists}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def references(part: Any) -> set[str]:
    """The logical ids that a part of what was rendered refers to."""
    return set(REFERENCE.findall(json.dumps(part)))


def violations(parameters: dict[str, str]) -> list[str]:
    """What the Rules have against these parameters, in their own words."""
    return _Evaluation(parameters).violations()


def render(**parameters: str) -> Rendered:
    """The template with these parameters and the defaults of the others; `Rejected` if CloudFormation would not take them."""
    evaluation = _Evaluation(parameters)
    if broken := evaluation.violations():
        raise Rejected("; ".join(broken))
    template = transformed()
    return Rendered(evaluation.existing(template["Resources"]), evaluation.existing(template["Outputs"]))


class _Evaluation:
    def __init__(self, given: dict[str, str]) -> None:
        declared = transformed()["Parameters"]
        if unknown := set(given) - set(declared):
            raise Rejected(f"no such parameters: {unknown}")
        self.parameters = {name: _checked(name, declaration, given.get(name)) for name, declaration in declared.items()}

    def violations(self) -> list[str]:
        return [
            assertion["AssertDescription"]
            for rule in transformed().get("Rules", {}).values()
            if self.holds(rule.get("RuleCondition", True))
            for assertion in rule["Assertions"]
            if not self.holds(assertion["Assert"])
        ]

    def existing(self, section: dict[str, Any]) -> dict[str, Any]:
        """The section's parts whose condition holds, evaluated."""
        parts = {name: part for name, part in section.items() if "Condition" not in part or self.condition(part["Condition"])}
        return {name: self.value({key: value for key, value in part.items() if key != "Condition"}) for name, part in parts.items()}

    def condition(self, name: str) -> bool:
        return self.holds(transformed()["Conditions"][name])

    def holds(self, expression: Any) -> bool:
        if isinstance(expression, bool):
            return expression
        ((function, argument),) = expression.items()
        if function == "Condition":
            return self.condition(argument)
        if function == "Fn::Equals":
            left, right = (str(self.value(side)) for side in argument)
            return left == right
        parts = [self.holds(part) for part in argument]
        return {"Fn::Not": not parts[0], "Fn::And": all(parts), "Fn::Or": any(parts)}[function]

    def value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not _NoValue]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self.call(function, argument)
        values = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not _NoValue}

    def call(self, function: str, argument: Any) -> Any:
        return getattr(self, "fn_" + function.replace("Fn::", "").lower())(argument)

    def fn_if(self, argument: Any) -> Any:
        condition, then, otherwise = argument
        return self.value(then if self.condition(condition) else otherwise)

    def fn_ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NoValue
        if name in self.parameters:
            return self.parameters[name]
        return PSEUDO_PARAMETERS.get(name, "${" + name + "}")

    def fn_getatt(self, path: list[str]) -> str:
        return "${" + ".".join(path) + "}"

    def fn_sub(self, argument: Any) -> str:
        text, written = argument if isinstance(argument, list) else (argument, {})
        variables = {name: self.value(value) for name, value in written.items()}

        def replacement(match: re.Match[str]) -> str:
            name = match.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            return str(variables[name] if name in variables else self.fn_ref(name))

        return re.sub(r"\$\{([^}]+)\}", replacement, text)

    def fn_join(self, argument: Any) -> str:
        delimiter, parts = argument
        return delimiter.join(self.value(parts))

    def fn_split(self, argument: Any) -> list[str]:
        delimiter, text = argument
        return self.value(text).split(delimiter)

    def fn_select(self, argument: Any) -> Any:
        index, parts = int(argument[0]), self.value(argument[1])
        if index >= len(parts):
            raise Rejected(f"Fn::Select cannot select nonexistent value at index {index}")
        return parts[index]

    def fn_getazs(self, _: Any) -> list[str]:
        return [f"us-east-1{letter}" for letter in "abcdef"]

    def fn_cidr(self, argument: Any) -> list[str]:
        block, count, _ = argument
        return [f"{self.value(block)} part {index}" for index in range(int(count))]

    def fn_base64(self, text: Any) -> str:
        return self.value(text)


def _checked(name: str, declaration: dict[str, Any], given: str | None) -> str:
    if given is None and "Default" not in declaration:
        raise Rejected(f"{name} has no default")
    value = str(declaration["Default"] if given is None else given)
    if value not in [str(allowed) for allowed in declaration.get("AllowedValues", [value])]:
        raise Rejected(f"{name} is {value!r}")
    if not re.fullmatch(declaration.get("AllowedPattern", ".*"), value, re.DOTALL):
        raise Rejected(f"{name} is {value!r}")
    if declaration["Type"] == "Number" and not declaration.get("MinValue", 0) <= float(value) <= declaration.get("MaxValue", 2**63):
        raise Rejected(f"{name} is {value}")
    return value
