"""Runs Python that arrives on standard input, one line at a time, and prints each result as JSON."""

import json
import sys

import halloo

names = {"halloo": halloo}
for line in sys.stdin:
    try:
        if line.startswith("="):
            result = eval(line[1:].strip(), names)
        else:
            result = exec(line.strip(), names)
        result = {"binary": list(result)} if isinstance(result, bytes) else result
        print(json.dumps({"result": result}))
    except halloo.HallooError as error:
        print(json.dumps({"error": str(error), "code": error.code}))
