"""The example messages of docs/messages.md."""

import json
import re

from tests.conftest import ROOT

# [(last part of the topic, message), ...]
EXAMPLES = [
    (leaf, json.loads(text))
    for leaf, text in re.findall(r"```json (\w+)\n(.*?)\n```", (ROOT / "docs/messages.md").read_text(), re.DOTALL)
]
