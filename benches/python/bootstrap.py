"""The loop between Lambda's Runtime API and the handler: less than AWS's own client for Python does."""

import http.client
import json
import os
from urllib.parse import urlsplit

import handler


def main():
    api = urlsplit(os.environ["AWS_LAMBDA_RUNTIME_API"])
    invocation = f"{api.path}/2018-06-01/runtime/invocation"
    connection = http.client.HTTPConnection(api.hostname, api.port)
    handler.init()
    while True:
        connection.request("GET", f"{invocation}/next")
        response = connection.getresponse()
        request = response.headers["lambda-runtime-aws-request-id"]
        event = json.loads(response.read())
        try:
            outcome, answer = "response", handler.handler(event)
        except Exception as error:
            outcome, answer = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
        connection.request("POST", f"{invocation}/{request}/{outcome}", json.dumps(answer))
        connection.getresponse().read()


main()
