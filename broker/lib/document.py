"""JSON for the shell scripts: bash has none, and the image has Python but not jq.

Secrets come on standard input and leave on standard output: arguments would show them to every user of the machine.

    document.py get FIELD             the field's text; nothing if it is not there
    document.py set FIELD=TEXT ...    the document with these fields; FIELD=@PATH takes a file's content, FIELD= removes it
    document.py client ADDRESS CA     the settings of a Kafka client whose {"username", "password"} this is
    document.py scram                 the password, as kafka-configs reads it from a file
"""

from __future__ import annotations

import json
import re
import sys


def get(document: dict[str, str], field: str) -> str:
    """The field's text."""
    return document.get(field, "")


def changed(document: dict[str, str], changes: list[str]) -> str:
    """The document with the changes, always written in the same way."""
    document = dict(document)
    for change in changes:
        field, _, text = change.partition("=")
        if text.startswith("@"):
            with open(text[1:], encoding="utf-8") as file:
                text = file.read()
        document[field] = text
    return json.dumps({field: text for field, text in document.items() if text}, sort_keys=True)


def login(document: dict[str, str]) -> tuple[str, str]:
    """User and password, of which neither can break out of a settings file."""
    user, password = document.get("username", ""), document.get("password", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", user) or not re.fullmatch(r"[A-Za-z0-9]{16,}", password):
        sys.exit("a secret must hold a username, and a password of 16 or more letters and digits")
    return user, password


def client(document: dict[str, str], address: str, authority: str) -> str:
    """A client's settings over TLS and SCRAM."""
    user, password = login(document)
    return "\n".join([
        f"bootstrap.servers={address}",
        "security.protocol=SASL_SSL",
        "sasl.mechanism=SCRAM-SHA-512",
        "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="{user}" password="{password}";',
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={authority}",
    ])


def main(command: str, *arguments: str) -> str:
    """What the command prints."""
    text = sys.stdin.read()
    document = json.loads(text) if text.strip() else {}
    if command == "get":
        return get(document, *arguments)
    if command == "set":
        return changed(document, list(arguments))
    if command == "client":
        return client(document, *arguments)
    if command == "scram":
        return f"SCRAM-SHA-512=iterations=8192,password={login(document)[1]}"
    sys.exit(f"unknown command {command}")


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
