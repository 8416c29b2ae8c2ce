"""Shows that CPython finds its standard library in the namespace: a few modules, C and Python, do real work."""

import hashlib
import json
import os
import re
import sys

greeting = {"hello": "from Python", "version": "%d.%d" % sys.version_info[:2]}
print(json.dumps(greeting, sort_keys=True))
print("sha256", hashlib.sha256(b"taskfs").hexdigest())
print("words", re.findall(r"[a-z]+", "cat and echo"))
print("platform", sys.platform)
print("argv", sys.argv[1:])
print("root", sorted(os.listdir("/")))
