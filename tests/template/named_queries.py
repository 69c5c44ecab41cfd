"""The named queries of template.yaml: the files in queries/, verbatim.

CloudFormation takes the text of a query in the template alone, so the template holds a copy of each file. Run as a module, this
writes the copies anew.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
QUERIES = ROOT / "queries"

HEADING = "  # ---- Named queries: the files in queries/, written here by `make queries` "

# From the heading to the next one, or to the next part of the template.
BLOCK = re.compile(rf"^{re.escape(HEADING)}-*\n.*?(?=^  # ----|^[A-Z])", re.DOTALL | re.MULTILINE)


def files() -> dict[str, str]:
    """The text of each query by its name, in the names' order."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(QUERIES.glob("*.sql"))}


def description(sql: str) -> str:
    """What a query answers: the first line of its comment."""
    return sql.splitlines()[0].removeprefix("-- ")


def logical_id(name: str) -> str:
    """The resource's name in the template: BarsQuery for bars."""
    return "".join(part.capitalize() for part in name.split("-")) + "Query"


def resource(name: str, sql: str) -> str:
    """The lines of one query's resource."""
    text = "".join(f"        {line}\n" if line else "\n" for line in sql.splitlines())
    return f"""
  {logical_id(name)}:
    Type: AWS::Athena::NamedQuery
    Properties:
      Name: {name}
      Description: '{description(sql).replace("'", "''")}'
      Database: !Ref LakeDatabase
      WorkGroup: !Ref LakeWorkGroup
      QueryString: |
{text}"""


def with_queries(template: str) -> str:
    """The template with the block of named queries as the files have it."""
    block = HEADING.ljust(119, "-") + "\n" + "".join(resource(name, sql) for name, sql in files().items()) + "\n"
    replaced, count = BLOCK.subn(lambda _: block, template)
    if count != 1:
        raise ValueError(f"{TEMPLATE} has {count} headings of the named queries")
    return replaced


if __name__ == "__main__":
    TEMPLATE.write_text(with_queries(TEMPLATE.read_text(encoding="utf-8")), encoding="utf-8")
